"""Make the runs of an experiment or of a sweep, and write the table."""

from dataclasses import dataclass
from pathlib import Path

from nas.experiments.experiment import read_experiment
from nas.experiments.judged import judge_searches
from nas.experiments.options import ExperimentSettings, SweepSettings
from nas.experiments.plan import Run, plan, plan_searches
from nas.oracle import read_table


@dataclass(frozen=True)
class Outcome:
    """How far runs are after a command."""

    runs: tuple[Run, ...]
    table: str = ""
    """Markdown; empty for a sweep."""
    paths: tuple[Path, ...] = ()
    """The files that were written."""

    @property
    def left(self) -> list[str]:
        """Names of the runs that are not finished: stopped, failed, or out of time."""
        return [run.name for run in self.runs if run.state() != "finished"]


def plan_experiment(folder: Path) -> list[Run]:
    """List the runs of an experiment, and check what is on disk against its settings.

    Raises:
        ConfigError: A setting is wrong, or a run was made with other settings or images.
    """
    return _checked(plan(read_experiment(folder)))


def plan_sweep(settings: SweepSettings) -> list[Run]:
    """List the searches of a sweep, and check what is on disk against its settings.

    Raises:
        ConfigError: A setting is wrong, or a run was made with other settings or images.
        DataError: The images of a run cannot be read.
    """
    flags = () if settings.search is None else (f"--config={settings.search}",)
    methods = dict.fromkeys(settings.methods or (None,), settings.seeds)
    spaces = {space: space for space in settings.spaces}
    folder = Path(settings.out)
    return _checked(plan_searches(spaces, methods, flags, folder))


def run_experiment(settings: ExperimentSettings) -> Outcome:
    """Make the runs that are missing, and write results.md and results.json.

    Raises:
        ConfigError: A setting is wrong, or a run was made with other settings or images.
        DataError: The images of a run cannot be read.
        ReportError: A result is damaged.
        RunDirectoryError: The runs are going on already, or the folder cannot be written.
        OracleError: The table that judges the searches cannot be read.
    """
    folder = Path(settings.folder)
    experiment = read_experiment(folder)
    runs = _checked(plan(experiment))
    table = None
    if experiment.oracle is not None:
        table = read_table(experiment.oracle.table, experiment.oracle.dataset)
    settings.executor(folder).execute(runs)

    from nas.experiments.results import collect  # torch comes in here
    from nas.experiments.table import markdown, write_results

    rows = collect(experiment, runs)
    judged = None if table is None else judge_searches(table, runs)
    paths = write_results(experiment, runs, rows, judged)
    return Outcome(tuple(runs), markdown(experiment, runs, rows, judged), tuple(paths))


def run_sweep(settings: SweepSettings) -> Outcome:
    """Make the searches that are missing.

    Raises:
        ConfigError: A setting is wrong, or a run was made with other settings or images.
        DataError: The images of a run cannot be read.
        RunDirectoryError: The runs are going on already, or the folder cannot be written.
    """
    runs = plan_sweep(settings)
    settings.executor(Path(settings.out)).execute(runs)
    return Outcome(tuple(runs))


def _checked(runs: list[Run]) -> list[Run]:
    for run in runs:
        run.check()
    if any((run.path / "data.json").is_file() for run in runs):
        from nas.experiments.data import check_images  # torch comes in here

        check_images(runs)
    searches = [run for run in runs if run.program == "search" and run.state() != "finished"]
    if searches:
        from nas.experiments.recipes import check_recipes  # and here

        check_recipes(searches)
    return runs
