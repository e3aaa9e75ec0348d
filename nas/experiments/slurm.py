"""Run what is missing on a Slurm cluster, one job a run, through submitit."""

import contextlib
import logging
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import ConfigError
from nas.experiments.plan import Run

if TYPE_CHECKING:
    from submitit import Executor, Job
    from submitit.helpers import DelayedSubmission

_log = logging.getLogger(__name__)
_STOP_S = 60
"""Seconds that a program has to write a checkpoint when its job is about to end."""


class RunJob:
    """One run in a job; when the time of the job is over, submitit queues it again."""

    def __init__(self, run: Run):
        self.run = run
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Start the program, or let it continue its run; returns its exit code."""
        self._process = subprocess.Popen(self.run.command())
        return self._process.wait()

    def checkpoint(self, *_: Any) -> "DelayedSubmission":
        """Stop the program in order, and ask submitit for the same job again, which resumes."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_S)
        return DelayedSubmission(RunJob(self.run))


class SlurmExecutor:
    """Submits runs as jobs and waits for them; trainings wait for the searches they need."""

    def __init__(
        self,
        folder: Path,
        jobs: int = 1,
        *,
        hours: float = 24.0,
        cpus: int = 4,
        gpus: int = 0,
        partition: str | None = None,
        cluster: str = "slurm",
    ):
        """Set what each job gets.

        Args:
            folder: The logs go to its logs/jobs/.
            jobs: Jobs at a time.
            hours: Time limit of a job, after which it is queued again.
            cpus: Processors of a job.
            gpus: GPUs of a job.
            partition: The partition of Slurm; None is its default.
            cluster: "slurm", or "local" to try the jobs as processes of this machine.

        Raises:
            ConfigError: submitit or Slurm is not installed.
        """
        try:
            import submitit
        except ModuleNotFoundError as cause:
            raise ConfigError(
                "cluster: slurm needs submitit: pip install 'sandglass-nas[sweep]'"
            ) from cause
        if cluster == "slurm" and shutil.which("srun") is None:
            raise ConfigError(
                "cluster: found slurm, but there is no srun on this machine; start the sweep on a "
                "machine of the cluster, or use local"
            )
        self._executor: Executor = submitit.AutoExecutor(folder / "logs" / "jobs", cluster=cluster)
        self._executor.update_parameters(timeout_min=max(1, round(60 * hours)), name="nas")
        if cluster == "slurm":
            self._executor.update_parameters(
                cpus_per_task=cpus,
                gpus_per_node=gpus,
                slurm_array_parallelism=jobs,
                slurm_partition=partition,
            )

    def execute(self, runs: list[Run]) -> None:
        """Run everything that is not finished and can be run."""
        waiting = [run for run in runs if run.state() != "finished"]
        while ready := [run for run in waiting if run.is_ready()]:
            waiting = [run for run in waiting if run not in ready]
            jobs = self._executor.map_array(RunJob.__call__, [RunJob(run) for run in ready])
            for run, job in zip(ready, jobs, strict=True):
                _ended(run, job)


def _ended(run: Run, job: "Job[int]") -> None:
    """Wait for a job and log how it ended."""
    error = job.exception()
    if error is None and job.result() == 0:
        _log.info("finished %s", run.name)
    else:
        _log.warning("%s is not finished, see %s", run.name, job.paths.stderr)
