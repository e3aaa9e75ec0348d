"""Uniform paths: single path one-shot, whose supernet is trained without any choice.

Each step draws the candidate of every layer and the depth of every stage, each uniformly, and moves
the weights of that one network. There is no alpha step: the alphas rest at their first values. So
the weights favor no network, and a selection chooses among them afterwards (`--selection
evolution` or `random`), on the images that updated no weights.

The accuracy of an epoch is that of one fixed network, the one of the largest first alphas, with
the running statistics that all paths have left: it says whether the weights learn, not how good a
network is.

Source: SPOS (arXiv:1904.00420), Sec. 3.1 and 3.2, and the default settings of its code.
Deviation: depth is drawn too; the space of the paper has one depth. The BatchNorms of the paper's
supernet have no scale and shift; here they do.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.runtime.compute import Batch
from nas.search.alpha_settings import name_unused, refuse_settings_of_alphas
from nas.search.method import Method, Noise, Progress
from nas.search.registry import register_method
from nas.search.sampling import to_host
from nas.search.searcher import Searcher
from nas.space import Space
from nas.supernet import Alphas, ArchWeights
from nas.supernet.arch_weights import one_path


@register_method("uniform", source="SPOS (arXiv:1904.00420), Sec. 3.1")
@dataclass(frozen=True)
class Uniform(Method):
    """Trains one uniformly drawn network a step; a selection chooses afterwards."""

    orders: ClassVar = ("first_order",)
    runs_all_operators: ClassVar = False
    mixes_operators: ClassVar = False
    moves_alphas: ClassVar = False
    families: ClassVar = ("chain",)

    def check(self, config: SearchConfig, space: Space) -> None:
        """Refuse a search in which nothing chooses, and settings of alphas."""
        super().check(config, space)
        allowed = ("selection", "target", "targets", "latency_table")
        refuse_settings_of_alphas(config, "method uniform moves no alphas", allowed)
        if config.selection is None:
            raise ConfigError(
                "selection: method uniform trains the weights of all networks and chooses none; "
                "use evolution or random"
            )

    def unused(self, config: SearchConfig) -> list[str]:
        """Return what was given for the optimizer of the alphas."""
        return name_unused(config, ["architect"])

    def draw(self, alphas: Alphas, progress: Progress, generator: torch.Generator) -> Noise:
        """Draw uniform numbers, (E, P) for each group."""
        return {
            group: torch.rand(alphas[group].shape, generator=generator) for group in alphas.groups
        }

    @torch.no_grad()
    def arch_weights(self, alphas: Alphas, progress: Progress, noise: Noise | None) -> ArchWeights:
        """Return the path of the largest numbers of each row; without noise of the alphas."""
        # All of a draw stays on the host: masking it on a GPU would mean waiting for the GPU.
        possible = {
            group: alphas.logits_of(group)
            if noise is None
            else noise[group].masked_fill(~alphas.kept_on_host(group), -torch.inf)
            for group in alphas.groups
        }
        (chosen,) = to_host([possible])
        return {
            group: one_path(chosen[group], table.shape[1], like=alphas[group])
            for group, table in possible.items()
        }

    def step(self, searcher: Searcher, train_batch: Batch) -> None:
        """Move the weights of one network."""
        searcher.weight_step(train_batch)
