"""From the finished runs of a claim to figures: mean and standard deviation, never a best of n."""

import statistics
from dataclasses import dataclass

import torch

from nas.config import SearchConfig
from nas.experiments.experiment import Claim
from nas.experiments.plan import Run
from nas.genotype import load_genotype
from nas.models import GenotypeNetwork
from nas.operators import resolve, resolve_genotype
from nas.records import read_cost, read_evaluation
from nas.report.checks import TIMING, check_timing, read_epochs
from nas.runtime.complexity import count_parameters
from nas.space import load_space

FULL_SIZE = (36, 20)
"""Channels and cells of DARTS's evaluation network on CIFAR-10 (arXiv:1806.09055, Sec. 3.1)."""


@dataclass(frozen=True)
class Row:
    """What is known of the cells of one space, of one baseline, or of one network by name."""

    name: str
    num_cells_found: int
    """Different searches, or 1 for a genotype or network that was given."""
    num_retrains: int
    errors_by_cell: tuple[tuple[float, ...], ...]
    """Test error of each retrain of each cell after its last epoch, percent."""
    num_parameters: tuple[int, ...]
    """Of each cell, as trained here, without the auxiliary head."""
    madds: tuple[int, ...]
    num_parameters_full_size: tuple[int, ...]
    """Of each cell with 36 channels and 20 cells, ten classes; a network by name has none."""
    search_time_s: tuple[float, ...]
    retrain_time_s: tuple[float, ...]

    @property
    def errors(self) -> tuple[float, ...]:
        """Test errors of all retrains, percent."""
        return tuple(error for cell in self.errors_by_cell for error in cell)

    @property
    def std_between_cells(self) -> float | None:
        """Sample standard deviation of the cells' mean errors, percent; None below two cells."""
        means = [statistics.fmean(cell) for cell in self.errors_by_cell]
        return statistics.stdev(means) if len(means) > 1 else None

    @property
    def mean_error(self) -> float | None:
        """Mean test error, percent."""
        return statistics.fmean(self.errors) if self.errors else None

    @property
    def std_error(self) -> float | None:
        """Sample standard deviation (n - 1) of the test error, percent; None below two runs."""
        return statistics.stdev(self.errors) if len(self.errors) > 1 else None


def collect(claim: Claim, runs: list[Run]) -> list[Row]:
    """Read what is finished, a row a space, genotype or model, in the claim's order.

    Random cells have a row together besides, which is what a searched cell is to be compared with.

    Raises:
        ReportError: A result file is damaged.
    """
    rows = [_row(name, {name}, runs) for name in claim.rows]
    random = {name for name in claim.genotypes if name.startswith("random:")}
    if len(random) > 1:
        rows.append(_row("random cells together", random, runs))
    return rows


def _row(name: str, groups: set[str], runs: list[Run]) -> Row:
    finished = [run for run in runs if run.group in groups and run.state() == "finished"]
    searches = [run for run in finished if run.program == "search"]
    retrains = [run for run in finished if run.program == "augment"]
    # Each cell once: by the searches that found them, or from any one retrain.
    cells = {str(run.needs or run.group): run for run in retrains}
    costs = [read_cost(run.path / "cost.json") for run in cells.values()]
    shown = [run for run in searches or cells.values() if not run.is_by_name]
    return Row(
        name=name,
        num_cells_found=len(searches) or len(cells),
        num_retrains=len(retrains),
        errors_by_cell=tuple(
            tuple(_error(run) for run in retrains if str(run.needs or run.group) == cell)
            for cell in cells
        ),
        num_parameters=tuple(cost.num_parameters for cost in costs),
        madds=tuple(cost.madds for cost in costs),
        num_parameters_full_size=tuple(map(_full_size, shown)),
        search_time_s=tuple(map(_time_s, searches)),
        retrain_time_s=tuple(map(_time_s, retrains)),
    )


def _full_size(run: Run) -> int:
    """Count the parameters of a run's cells at the size of the paper's figures."""
    settings = run.settings()
    genotype = load_genotype(run.path)
    # The claim's own settings and spaces may name plug-ins; a genotype may not.
    if settings.space is not None:
        resolve(load_space(settings.space), settings.plugins)
    if run.needs is not None or isinstance(settings, SearchConfig):
        resolve(load_space(run.group), settings.plugins)
    resolve_genotype(genotype, settings.plugins)
    with torch.device("meta"):
        network = GenotypeNetwork(
            genotype, init_channels=FULL_SIZE[0], num_cells=FULL_SIZE[1], auxiliary=False
        )
    return count_parameters(network)


def _time_s(run: Run) -> float:
    return sum(record["time_s"] for record in read_epochs(run.path / TIMING, check_timing))


def _error(run: Run) -> float:
    return 100 - read_evaluation(run.path / "evaluation.json").top1
