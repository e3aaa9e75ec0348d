"""Many searches on a cluster: `--spaces darts,darts+sandglass --seeds 0,1,2`.

One job a space and seed, each a search of its own through submitit; they share nothing, so they
scale without limit. Jobs that were killed or preempted go on from their last checkpoint when the
same command is given again.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nas.config import parse_settings
from nas.config.fields import check_ranges, setting
from nas.errors import ConfigError
from nas.files import file_name
from nas.program import run_program

PROG = "nas.experiments.cluster"
DESCRIPTION = (
    "Search in several spaces with several seeds, one job each: on this machine, or on Slurm. "
    "Given again, the same command skips what is finished and resumes the rest."
)


@dataclass(frozen=True)
class SweepConfig:
    """Settings of a sweep."""

    spaces: tuple[str, ...] = ("darts", "darts+sandglass")
    """Search spaces."""
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    """Each space is searched with each of them."""
    search: str | None = None
    """YAML file with the other settings of search.py; null takes the defaults."""
    out: str = "runs/sweep"
    """Folder of the run directories, and of the jobs' logs."""
    cluster: Literal["local", "slurm"] = "local"
    """local starts the jobs as processes of this machine."""
    jobs: int = setting(1, minimum=1, maximum=10000)
    """Jobs at a time."""
    hours: float = setting(24.0, above=0)
    """Time limit of a job."""
    cpus: int = setting(4, minimum=1)
    """Processors of a job; only for slurm."""
    gpus: int = setting(0, minimum=0)
    """GPUs of a job; only for slurm."""
    partition: str | None = None
    """Of Slurm."""

    def __post_init__(self):
        check_ranges(self)
        for name in ("spaces", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ConfigError(f"--{name}: expected one or more, each once, found {values}")
        if self.cluster != "slurm" and (self.partition is not None or self.gpus or self.cpus != 4):
            raise ConfigError("--partition, --gpus and --cpus have an effect only with slurm")


class SearchJob:
    """One search, in a process of its own; submitit starts it anew when its time is over."""

    def __init__(self, flags: list[str], out: Path):
        self.flags = flags
        self.out = out

    def __call__(self) -> int:
        """Search, or continue the search; returns its exit code."""
        from nas.cli.search import main

        is_begun = (self.out / "config.yaml").is_file()
        return main([*self.flags, f"--out={self.out}", *(["--resume"] if is_begun else [])])

    def checkpoint(self, *_: Any) -> Any:
        """Ask submitit for the same job again, which resumes."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def plan(config: SweepConfig) -> list[SearchJob]:
    """Return the searches that are not finished."""
    flags = [] if config.search is None else [f"--config={config.search}"]
    jobs = []
    for space in config.spaces:
        for seed in config.seeds:
            out = Path(config.out).resolve() / f"{file_name(space)}-seed{seed}"
            if not (out / "genotype.json").is_file():
                jobs.append(SearchJob([*flags, f"--space={space}", f"--seed={seed}"], out))
    return jobs


def run_sweep(config: SweepConfig) -> int:
    """Run what is missing and wait for it; returns 0, or 3 where a search did not finish."""
    try:
        import submitit
    except ModuleNotFoundError as cause:
        raise ConfigError("the sweep needs submitit: pip install 'sandglass-nas[sweep]'") from cause
    jobs = plan(config)
    executor = submitit.AutoExecutor(folder=Path(config.out) / "jobs", cluster=config.cluster)
    executor.update_parameters(timeout_min=max(1, round(60 * config.hours)), name="nas-search")
    if config.cluster == "slurm":
        executor.update_parameters(
            cpus_per_task=config.cpus,
            gpus_per_node=config.gpus,
            slurm_array_parallelism=config.jobs,
            slurm_partition=config.partition,
        )
        submitted = [*zip(jobs, executor.map_array(SearchJob.__call__, jobs), strict=True)]
        return sum(_finished(*pair) for pair in submitted) < len(jobs) and 3
    num_finished = 0
    for first in range(0, len(jobs), config.jobs):
        batch = jobs[first : first + config.jobs]
        started = [(job, executor.submit(job)) for job in batch]
        num_finished += sum(_finished(job, handle) for job, handle in started)
    return 0 if num_finished == len(jobs) else 3


def _finished(job: SearchJob, handle: Any) -> bool:
    """Wait for a job and say how it ended."""
    error = handle.exception()
    code = None if error else handle.result()
    said = "finished" if code == 0 else f"not finished, see {handle.paths.stderr}"
    print(f"{job.out}: {said}", flush=True)
    return code == 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_program(
        PROG, lambda: run_sweep(parse_settings(SweepConfig, PROG, DESCRIPTION, arguments))
    )


if __name__ == "__main__":
    raise SystemExit(main())
