"""From the finished runs of an experiment to means and standard deviations, never a best."""

import statistics
from dataclasses import dataclass

from nas.experiments.experiment import Experiment
from nas.experiments.plan import Run
from nas.genotype import load_genotype
from nas.models.cost import evaluation_cost
from nas.operators import resolve, resolve_genotype
from nas.records import read_cost, read_evaluation
from nas.space import load_cells

_IMAGE_SHAPE, _NUM_CLASSES = (3, 32, 32), 10
"""Of CIFAR-10."""


@dataclass(frozen=True)
class Row:
    """The results of the cells of one search, of one baseline, or of one named network."""

    name: str
    num_cells: int
    """Number of searches, or 1 for a given genotype or network."""
    num_trainings: int
    errors_by_cell: tuple[tuple[float, ...], ...]
    """Test error of each training of each cell after its last epoch, percent."""
    num_parameters: tuple[int, ...]
    """Parameters of each cell as trained here, without the auxiliary head."""
    madds: tuple[int, ...]
    num_parameters_full_size: tuple[int, ...]
    """Parameters of each cell at the size that its family is given for (36 channels and 20 cells in
    the DARTS family) with ten classes; none for a named network."""
    search_time_s: tuple[float, ...]
    training_time_s: tuple[float, ...]

    @property
    def errors(self) -> tuple[float, ...]:
        """Test errors of all trainings, percent."""
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


def collect(experiment: Experiment, runs: list[Run]) -> list[Row]:
    """Read what is finished, a row for each search, genotype and model, in the given order.

    Random cells also have a common row, which is what to compare a searched cell with.

    Raises:
        ReportError: A result file is damaged.
    """
    rows = [_row(name, {name}, runs) for name in experiment.rows]
    random = {name for name in experiment.genotypes if name.startswith("random:")}
    if len(random) > 1:
        rows.append(_row("random cells together", random, runs))
    return rows


def _row(name: str, groups: set[str], runs: list[Run]) -> Row:
    finished = [run for run in runs if run.group in groups and run.state() == "finished"]
    searches = [run for run in finished if run.program == "search"]
    trainings = [run for run in finished if run.program == "augment"]
    # Each cell once: from its search, or from any one training.
    cells = {str(run.needs or run.group): run for run in trainings}
    costs = [read_cost(run.path / "cost.json") for run in cells.values()]
    shown = [run for run in searches or cells.values() if run.has_cells]
    return Row(
        name=name,
        num_cells=len(searches) or len(cells),
        num_trainings=len(trainings),
        errors_by_cell=tuple(
            tuple(_error(run) for run in trainings if str(run.needs or run.group) == cell)
            for cell in cells
        ),
        num_parameters=tuple(cost.num_parameters for cost in costs),
        madds=tuple(cost.madds for cost in costs),
        num_parameters_full_size=tuple(map(_full_size, shown)),
        search_time_s=tuple(sum(run.times_s()) for run in searches),
        training_time_s=tuple(sum(run.times_s()) for run in trainings),
    )


def _full_size(run: Run) -> int:
    """Count the parameters of a run's cells at the size that their family is given for."""
    settings = run.settings()
    genotype = load_genotype(run.path)
    # The experiment's own settings and spaces may name plug-ins; a genotype may not.
    if settings.space is not None:
        resolve(load_cells(settings.space), settings.plugins)
    if run.space is not None:
        resolve(load_cells(run.space), settings.plugins)
    resolve_genotype(genotype, settings.plugins)
    return evaluation_cost(genotype, _IMAGE_SHAPE, _NUM_CLASSES)[0]


def _error(run: Run) -> float:
    return 100 - read_evaluation(run.path / "evaluation.json").top1
