"""Settings of `experiment` and `sweep`, checked when they are made (no torch)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas.config.fields import check_ranges, setting
from nas.errors import ConfigError
from nas.experiments.local import LocalExecutor
from nas.experiments.methods import check_methods, read_methods
from nas.experiments.slurm import SlurmExecutor


@dataclass(frozen=True, kw_only=True)
class ExecutorSettings:
    """Where runs are made, and how many at a time."""

    cluster: Literal["local", "slurm"] = setting("local", group="processes")
    """local makes the runs as processes of this machine, slurm as jobs (needs submitit)."""
    jobs: int = setting(1, minimum=1, maximum=10000, group="processes")
    """Runs at a time."""
    max_minutes: float | None = setting(None, above=0, group="budget")
    """Stop in order after this time; the same command continues. Only for local."""
    hours: float | None = setting(None, above=0, group="budget")
    """Time limit of a job, after which it is queued again; null is 24. Only for slurm."""
    cpus: int | None = setting(None, minimum=1, group="processes")
    """Processors of a job; null is 4. Only for slurm."""
    gpus: int | None = setting(None, minimum=0, group="processes")
    """GPUs of a job; null is 0. Only for slurm."""
    partition: str | None = setting(None, group="processes")
    """Partition of Slurm; null is its default. Only for slurm."""

    def __post_init__(self) -> None:
        check_ranges(self)
        for name in ("hours", "cpus", "gpus", "partition"):
            if self.cluster != "slurm" and getattr(self, name) is not None:
                raise ConfigError(
                    f"{name}: has an effect only with `cluster` slurm, found {self.cluster}"
                )
        if self.cluster == "slurm" and self.max_minutes is not None:
            raise ConfigError("max_minutes: has an effect only with `cluster` local, found slurm")

    def executor(self, folder: Path) -> LocalExecutor | SlurmExecutor:
        """Build what makes the runs; its logs go to the folder."""
        if self.cluster == "local":
            return LocalExecutor(folder, self.jobs, self.max_minutes)
        return SlurmExecutor(
            folder,
            self.jobs,
            hours=24.0 if self.hours is None else self.hours,
            cpus=4 if self.cpus is None else self.cpus,
            gpus=self.gpus or 0,
            partition=self.partition,
        )


@dataclass(frozen=True, kw_only=True)
class ExperimentSettings(ExecutorSettings):
    """Run the searches and trainings of an experiment that are not finished, and write its table.

    What is finished is skipped; what was stopped is resumed.
    """

    folder: str = setting(is_path=True)
    """The folder with experiment.yaml and the settings it names."""
    plan: bool = setting(False)
    """Only list the runs, how far each is, and the parts of what is left with their expected
    times, one run after another; a part takes `max_minutes`, or 25."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.plan and (self.jobs > 1 or self.cluster != "local"):
            raise ConfigError(
                "plan: its parts make one run after another on this machine; leave `jobs` and "
                "`cluster` out"
            )


@dataclass(frozen=True, kw_only=True)
class SweepSettings(ExecutorSettings):
    """Search in several spaces with several methods and seeds.

    The same command again skips what is finished and resumes the rest.
    """

    spaces: tuple[str, ...] = setting(("darts", "darts+sandglass"), group="space", is_path=True)
    """Search spaces."""
    methods: tuple[str, ...] = setting((), group="method", convert=read_methods)
    """Search methods with their settings, and perhaps a selection after a +, such as
    darts,pc_darts,channel_fraction=2,darts+darts_pt; none leaves the method to `search`."""
    seeds: tuple[int, ...] = setting((0, 1, 2, 3), group="budget")
    """Each space is searched with each method and each seed."""
    search: str | None = setting(None, group="run", is_path=True)
    """YAML file with the other settings of the searches; null takes the defaults."""
    out: str = setting("runs/sweep", group="run", is_path=True)
    """Folder of the run directories and of the logs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("spaces", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ConfigError(f"{name}: expected one or more, each once, found {values}")
        check_methods(self.methods, "methods")
