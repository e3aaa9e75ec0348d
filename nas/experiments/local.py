"""Run what is missing, several at a time, within a time budget; every run can be stopped."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from nas.errors import RunDirectoryError
from nas.experiments.plan import Run

_POLL_S = 0.5
_STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGTERM)
"""Exit codes of a program that was asked to stop; the last before it began to listen."""


class Executor:
    """Runs the programs as processes of their own, so that none can harm another."""

    def __init__(self, folder: Path, jobs: int, max_minutes: float | None):
        """Set the limits.

        Args:
            folder: Of the claim; logs go to its logs/.
            jobs: Runs at a time; the CPU cores are shared out among them.
            max_minutes: Stop in order after so long; None is no limit.
        """
        self.folder = folder
        self.jobs = jobs
        self.deadline_s = None if max_minutes is None else time.monotonic() + 60 * max_minutes
        self.stopping = False
        self.failed: list[str] = []

    def execute(self, runs: list[Run]) -> None:
        """Run all that are not finished; those that fail are in `failed` afterwards.

        Raises:
            RunDirectoryError: Runs of this claim are going on already, or nothing can be written.
        """
        waiting = [run for run in runs if run.state() != "finished"]
        going: dict[subprocess.Popen, Run] = {}
        with (
            self._locked() as lock,
            self._signals(),
            tqdm(total=len(runs), initial=len(runs) - len(waiting), unit="run") as bar,
        ):
            try:
                self._run_all(waiting, going, lock, bar)
            finally:  # whatever went wrong, no process is left behind
                for process in going:
                    process.terminate()

    def _run_all(
        self, waiting: list[Run], going: dict[subprocess.Popen, Run], lock: TextIO, bar: tqdm
    ) -> None:
        while going or (waiting and not self.stopping):
            if self.deadline_s is not None and time.monotonic() >= self.deadline_s:
                self.stopping = True
            for process in going if self.stopping else ():
                process.terminate()
            self._start_what_can(waiting, going, lock, bar)
            time.sleep(_POLL_S)
            for process in [process for process in going if process.poll() is not None]:
                self._ended(going.pop(process), process.returncode, bar)
            if not going and not any(map(self._is_ready, waiting)):
                break

    def _start_what_can(
        self, waiting: list[Run], going: dict[subprocess.Popen, Run], lock: TextIO, bar: tqdm
    ) -> None:
        while not self.stopping and len(going) < self.jobs:
            run = next(filter(self._is_ready, waiting), None)
            if run is None:
                return
            waiting.remove(run)
            bar.write(f"{'start' if run.state() == 'missing' else 'resume'} {run.name}")
            going[self._start(run, lock)] = run

    @staticmethod
    def _is_ready(run: Run) -> bool:
        return run.needs is None or (run.needs / "genotype.json").is_file()

    def _start(self, run: Run, lock: TextIO) -> subprocess.Popen:
        command = [sys.executable, "-m", f"nas.cli.{run.program}", *run.flags]
        if run.state() == "unfinished":
            command.append("--resume")
        threads = str(max(1, (os.cpu_count() or 1) // self.jobs))
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        with self._log_of(run).open("a") as log:
            # The lock goes with the process: it is held while any run of the claim lives.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches it through us, once
                pass_fds=[lock.fileno()],
            )

    def _ended(self, run: Run, code: int, bar: tqdm) -> None:
        if code == 0:
            bar.update()
            bar.write(f"finished {run.name}")
        elif code in _STOPPED:
            bar.write(f"stopped {run.name}; it will be resumed")
        else:
            lines = self._log_of(run).read_text(errors="replace").strip().splitlines()
            last = lines[-1].split("\r")[-1] if lines else "it said nothing"
            self.failed.append(run.name)
            bar.write(f"failed {run.name} with exit code {code}: {last} ({self._log_of(run)})")

    def _log_of(self, run: Run) -> Path:
        return self.folder / "logs" / f"{run.program}-{run.path.name}.log"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[TextIO]:
        path = self.folder / "logs" / "lock"
        try:
            path.parent.mkdir(exist_ok=True)
            stream = path.open("w")
        except OSError as cause:
            raise RunDirectoryError(f"{path}: cannot be written: {cause.strerror}") from cause
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as cause:
                raise RunDirectoryError(
                    f"{self.folder}: runs of this claim are going on already; wait for them or "
                    "stop them"
                ) from cause
            yield stream

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(signum: int, frame: object) -> None:
            self.stopping = True

        previous = {
            signum: signal.signal(signum, stop) for signum in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for signum, handler in previous.items():
                signal.signal(signum, handler)
