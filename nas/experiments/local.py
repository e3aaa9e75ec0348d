"""Run what is missing on this machine, within a time budget; every run can be stopped."""

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from nas.errors import RunDirectoryError
from nas.experiments.plan import Run

_log = logging.getLogger(__name__)
_POLL_S = 0.5
_STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGTERM)
"""Exit codes of a program that was asked to stop; the last one before it began to listen."""


class LocalExecutor:
    """Runs each program as a process, so that none can harm another."""

    def __init__(self, folder: Path, jobs: int = 1, max_minutes: float | None = None):
        """Set the limits.

        Args:
            folder: The logs go to its logs/.
            jobs: Runs at a time; they share the CPU cores.
            max_minutes: Time after which everything is stopped in order; None is no limit.
        """
        self.folder = folder
        self.jobs = jobs
        self.deadline_s = None if max_minutes is None else time.monotonic() + 60 * max_minutes
        self.stopping = False

    def execute(self, runs: list[Run]) -> None:
        """Run everything that is not finished and can be run.

        Raises:
            RunDirectoryError: Runs in this folder are going on already, or it cannot be written.
        """
        waiting = [run for run in runs if run.state() != "finished"]
        going: dict[subprocess.Popen[bytes], Run] = {}
        with _locked(self.folder) as lock, self._signals():
            try:
                self._run_all(waiting, going, lock)
            finally:  # no process is left behind
                for process in going:
                    process.terminate()

    def _run_all(
        self, waiting: list[Run], going: dict[subprocess.Popen[bytes], Run], lock: TextIO
    ) -> None:
        while going or (waiting and not self.stopping):
            if self.deadline_s is not None and time.monotonic() >= self.deadline_s:
                self.stopping = True
            for process in going if self.stopping else ():
                process.terminate()
            self._start_what_can(waiting, going, lock)
            time.sleep(_POLL_S)
            for process in [process for process in going if process.poll() is not None]:
                self._ended(going.pop(process), process.returncode)
            if not going and not any(run.is_ready() for run in waiting):
                break

    def _start_what_can(
        self, waiting: list[Run], going: dict[subprocess.Popen[bytes], Run], lock: TextIO
    ) -> None:
        while not self.stopping and len(going) < self.jobs:
            run = next((run for run in waiting if run.is_ready()), None)
            if run is None:
                return
            waiting.remove(run)
            _log.info("%s %s", "start" if run.state() == "missing" else "resume", run.name)
            going[self._start(run, lock)] = run

    def _start(self, run: Run, lock: TextIO) -> subprocess.Popen[bytes]:
        with self._log_of(run).open("a") as log:
            # The process inherits the lock, which is held while any of them lives.
            return subprocess.Popen(
                run.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment_of_runs(self.jobs),
                start_new_session=True,  # Ctrl-C reaches it through us, once
                pass_fds=[lock.fileno()],
            )

    def _ended(self, run: Run, code: int) -> None:
        if code == 0:
            _log.info("finished %s", run.name)
        elif code in _STOPPED:
            _log.info("stopped %s; it will be resumed", run.name)
        else:
            lines = self._log_of(run).read_text(errors="replace").strip().splitlines()
            last = lines[-1].split("\r")[-1] if lines else "it printed nothing"
            log = self._log_of(run)
            _log.warning("failed %s with exit code %d: %s (%s)", run.name, code, last, log)

    def _log_of(self, run: Run) -> Path:
        return self.folder / "logs" / f"{run.program}-{run.path.name}.log"

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


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[TextIO]:
    path = folder / "logs" / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("w")
    except OSError as cause:
        raise RunDirectoryError(f"{path}: cannot be written: {cause.strerror}") from cause
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            raise RunDirectoryError(
                f"{folder}: its runs are going on already; wait for them or stop them"
            ) from cause
        yield stream


def environment_of_runs(jobs: int) -> dict[str, str]:
    """Return the environment of each of `jobs` runs: an equal share of the cores as threads.

    An OMP_NUM_THREADS that is already set is kept: on a machine that does other work, threads that
    wait for each other make a run many times slower.
    """
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    return {"OMP_NUM_THREADS": threads, **os.environ}
