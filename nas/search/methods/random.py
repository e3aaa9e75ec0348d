"""Random cells, or a random network of a chain: the baseline that a search has to beat.

Nothing is trained. The cells are those of `random_genotype(space, seed)`, the same as `--genotype
random:SEED` of a training: two different inputs for each node, and one operator for each that
passes something on, uniformly; in the space of NAS-Bench-201 any operator on every edge. The
network of a chain is that of `random_chain`: uniform among those within 3 % of the targets.

Source: DARTS (arXiv:1806.09055), Table 1 ("Random search baseline"); arXiv:1902.07638 on why it is
needed.
"""

from dataclasses import dataclass
from typing import ClassVar

from nas.config import SearchConfig
from nas.search.alpha_settings import name_unused, refuse_settings_of_alphas
from nas.search.kind import Found, Kind
from nas.search.method import Method
from nas.search.registry import register_method
from nas.space import SearchSpace, Space


@register_method("random", source="DARTS (arXiv:1806.09055), Table 1")
@dataclass(frozen=True)
class Random(Method):
    """Random cells of the space, or networks at a target, without a search."""

    moves_alphas: ClassVar = False

    def check(self, config: SearchConfig, space: Space) -> None:
        """Refuse what asks for another search: terms, stops, a selection, an order.

        Settings of the data, the budget, the weights and the optimizer of the alphas may be given,
        so that one file of settings serves all methods of a comparison; so may the target of a
        chain, which is met, and its latency table.
        """
        super().check(config, space)
        allowed = () if isinstance(space, SearchSpace) else ("target", "latency_table")
        refuse_settings_of_alphas(config, "method random has no alphas", allowed)

    def unused(self, config: SearchConfig) -> list[str]:
        """Return what was given for training: nothing is trained."""
        groups = ("budget", "optimization", "architect", "arithmetic", "durability", "processes")
        return [*name_unused(config, groups, used=["seed", "device"]), *_of_data(config)]

    def without_search(self, kind: Kind, config: SearchConfig) -> Found:
        """Draw by the seed."""
        return kind.random(config)

    def decode_rule(self, space: Space) -> str:
        """Return the rule in words."""
        if not isinstance(space, SearchSpace):
            return "random: uniform among the networks within 3 % of the target"
        if space.kind.edges_per_node is None:
            return "random: one operator on every edge, uniformly"
        return "random: two inputs for each node, each with one operator, uniformly"


def _of_data(config: SearchConfig) -> list[str]:
    """Return what was given for the images, whose size and classes count for a target only."""
    names = ["max_images", "train_fraction", "horizontal_flip"]
    names += [] if config.target else ["data", "image_size", "skip_corrupt"]
    return [name for name in names if getattr(config, name) != getattr(SearchConfig, name)]
