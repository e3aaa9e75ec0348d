"""Selections: how the cells are chosen once a search has ended, instead of reading the alphas.

A selection is a frozen dataclass, called as `selection(searcher)` after the last epoch; it returns
the cells or the network, whose `search` may hold numbers on how they were chosen. It may have
`check(config, space)`, which raises ConfigError before the search starts, and `check_data(config,
space, data)`, which does so once the images are read.
"""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from nas.config import SearchConfig, run_settings
from nas.config.choice import read_choice
from nas.errors import ConfigError, RunDirectoryError
from nas.genotype import Genotype
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.search.kind import Found
from nas.search.method import Method, Progress
from nas.search.projection import Choices, ProjectedMethod, Projector, order_of
from nas.search.registry import METHODS, build, register_selection, settings_of
from nas.search.searcher import Searcher
from nas.signals import Stopped
from nas.space import SearchSpace, Space, get_cell_family
from nas.supernet import MixedEdge

_logger = logging.getLogger(__name__)

SELECTION_DIR = "selection"
"""The run directory of the phase, inside that of the search."""


class Selection(Protocol):
    """What a selection is called as."""

    def __call__(self, searcher: Searcher) -> Found:
        """Choose the cells, from a search that has ended."""
        ...


def check_not_begun(path: Path) -> None:
    """Refuse to search on after the selection has begun.

    Raises:
        RunDirectoryError: The run directory of a search has a selection.
    """
    if (path / SELECTION_DIR / "config.yaml").is_file():
        raise RunDirectoryError(
            f"epochs: the selection of this run has begun ({path / SELECTION_DIR}); leave `epochs` "
            "as it was, or start another run"
        )


@register_selection("darts_pt", source="DARTS-PT (arXiv:2108.04392)")
@dataclass(frozen=True)
class DartsPT:
    """Keeps the operators and edges without which the supernet is worst (perturbation).

    After the search every edge is decided, one of each group of cells at a time: the operator
    without which the accuracy on the validation half is lowest is the one that remains. Then each
    node keeps the two incoming edges without which the accuracy is lowest. Between two decisions
    the supernet is tuned for `interval` epochs. The phase has its own run directory, `selection`
    in that of the search, with curves, checkpoints and decisions.json, the table of all decisions.

    Source: DARTS-PT (arXiv:2108.04392), Alg. 1; the settings are those of its scripts.
    """

    interval: int = 5
    """Epochs of tuning between two decisions."""
    learning_rate: float = 0.0025
    """Constant learning rate of the weights while tuning."""
    criterion: str = "accuracy"
    """What decides: accuracy or loss."""

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ConfigError(f"interval: expected 1 or more, found {self.interval}")
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate: expected above 0, found {self.learning_rate:g}")
        if self.criterion not in ("accuracy", "loss"):
            raise ConfigError(f"criterion: expected accuracy or loss, found {self.criterion}")

    def check(self, config: SearchConfig, space: Space) -> None:
        """Refuse a search whose edges do not end up as one operator, or that ends early."""
        where = "selection: darts_pt:"
        get_cell_family(space.family, f"{where} space")
        assert isinstance(space, SearchSpace)
        method = build(METHODS, read_choice(config.method, "method"), "method")
        if not method.mixes_operators:
            raise ConfigError(
                f"{where} does not work with {config.method}, which runs one operator on each "
                "edge; it removes operators from a mixture"
            )
        if not builds_plain_edges(method, config, space):
            raise ConfigError(
                f"{where} does not work with {config.method}, which builds edges of another kind; "
                "it removes operators from plain mixtures"
            )
        if config.stop is not None:
            raise ConfigError(
                f"{where} does not work with `stop`, which keeps the cells of an earlier epoch; "
                "give one of them"
            )
        if config.compile not in ("auto", "off"):
            raise ConfigError(
                f"{where} needs compile off, found {config.compile}; compiled code does not follow "
                "removed operators"
            )

    def __call__(self, searcher: Searcher) -> Genotype:
        """Tune and decide; see `Selection`."""
        config, space = searcher.config, searcher.space
        assert isinstance(space, SearchSpace)
        num_rounds = len(order_of(space, config.seed)) // len(space.groups)
        phase = dataclasses.replace(
            config,
            epochs=(num_rounds - 1) * self.interval + 1,
            learning_rate=self.learning_rate,
            learning_rate_min=self.learning_rate,
            out=str(searcher.run.path / SELECTION_DIR),
            term=None,
            monitor=None,
            monitor_eigenvalue=0,
            target=None,
            latency_table=None,
        )
        method = ProjectedMethod(
            searcher.method,
            Progress(max(searcher.epochs - 1, 0), searcher.epochs),
            Choices(space, settings_of(self)),
        )
        if searcher.ranks.is_first:
            _logger.info(
                "selection darts_pt: %d rounds, %d epochs of tuning; run %s",
                num_rounds,
                phase.epochs,
                phase.out,
            )
        searcher.release()
        torch.manual_seed(config.seed)
        with searcher.ranks.on_first(lambda: self._open(phase, searcher)) or SilentRunDirectory(
            searcher.run.path / SELECTION_DIR
        ) as run:
            projector = Projector(
                interval=self.interval,
                by_loss=self.criterion == "loss",
                config=phase,
                space=searcher.space,
                net=searcher.net,
                alphas=searcher.alphas,
                loss=searcher.loss,
                data=searcher.data,
                run=run,
                method=method,
                compute=searcher.compute,
                ranks=searcher.ranks,
            )
            projector.resume()
            try:
                found = projector.search()
                assert isinstance(found, Genotype)
                return found
            except Stopped as stopped:
                raise Stopped(
                    stopped.exit_code - 128,
                    f"stopped in the selection, in epoch {projector.epoch} of {phase.epochs}; "
                    f"continue with `resume` `out` {searcher.run.path}",
                ) from stopped

    def _open(self, phase: SearchConfig, searcher: Searcher) -> RunDirectory:
        path = Path(str(phase.out))
        is_new = not (path / "config.yaml").is_file()
        run = RunDirectory.create(path, run_settings(phase)) if is_new else RunDirectory.open(path)
        run.write_missing("space.yaml", searcher.space.to_yaml)
        return run


def builds_plain_edges(method: Method, config: SearchConfig, space: SearchSpace) -> bool:
    """Return whether the edges of a search's last stage are mixtures and nothing else."""
    *_, last = method, *(stage.method for stage in method.later_stages(space))
    edge = last.build_edge((), space.primitives, config.init_channels, 1)  # without operators
    return type(edge) is MixedEdge
