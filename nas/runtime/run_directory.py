"""The run directory: the files of a search or a training run.

config.yaml, env.json, space.yaml, genotype.json, metrics.jsonl, timing.jsonl, checkpoints/,
tensorboard/ and the pictures. Times are in timing.jsonl, not in metrics.jsonl, so that the metrics
of two runs can be compared bit for bit. Documented in docs/run_directory.md.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from nas.errors import RunDirectoryError
from nas.files import append_line, remove_leftovers, replacing
from nas.runtime.checkpoint import save_checkpoint, write_checkpoint

_SIGNS_OF_A_RUN = (
    "config.yaml",
    "metrics.jsonl",
    "genotype.json",
    "network.json",
    "evaluation.json",
    "detection.json",
    "space.yaml",
    "env.json",
    "cost.json",
    "timing.jsonl",
)


class RunDirectory:
    """The files of one run. A file is replaced as a whole or extended by whole lines.

    A context manager: no other program can open the run until it exits.
    """

    def __init__(self, path: Path):
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.tensorboard = path / "tensorboard"
        self._lock: int | None = None

    def __enter__(self) -> "RunDirectory":
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self) -> None:
        """Lock the directory itself, which leaves no file behind and ends with the process."""
        self._lock = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            self.__exit__()
            raise RunDirectoryError(
                f"out: another program is working on the run in {self.path}; wait for it or stop it"
            ) from cause

    @staticmethod
    def check_free(path: Path, *, can_resume: bool = True) -> None:
        """Check that a new run can start in a directory, which may not exist yet.

        Args:
            path: The directory.
            can_resume: Whether the program could continue a run that is there.

        Raises:
            RunDirectoryError: The directory holds a run, or is a file.
        """
        with writing(path):  # the name may be too long, or a folder may not be accessible
            is_file = path.exists() and not path.is_dir()
            signs = [] if is_file else [n for n in _SIGNS_OF_A_RUN if (path / n).exists()]
        if is_file:
            raise RunDirectoryError(f"out: {path} is a file; name a directory")
        if signs:
            advice = "continue it with `resume`, or " if can_resume else ""
            raise RunDirectoryError(
                f"out: {path} already holds a run ({signs[0]}); {advice}choose another directory"
            )

    @classmethod
    def create(cls, path: Path, config: dict[str, Any]) -> "RunDirectory":
        """Start a new run.

        Raises:
            RunDirectoryError: The directory holds a run, is a file, or cannot be written.
        """
        cls.check_free(path)
        run = cls(path)
        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
            run._take_lock()
        run.write_config(config)  # the first file: a run that has it can be resumed
        with writing(path):
            run.checkpoints.mkdir(exist_ok=True)
        return run

    @classmethod
    def plain(cls, path: Path) -> "RunDirectory":
        """Create a directory for results that do not belong to a run, if it does not exist.

        Raises:
            RunDirectoryError: It cannot be created.
        """
        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """Open an existing run to continue it.

        Raises:
            RunDirectoryError: There is no run in the directory, or another program has it open.
        """
        if not (path / "config.yaml").is_file():
            raise RunDirectoryError(
                f"resume: {path} holds no run (no config.yaml); start one without `resume`"
            )
        run = cls(path)
        with writing(path):
            run._take_lock()
            run.checkpoints.mkdir(exist_ok=True)
            remove_leftovers(run.path)
            remove_leftovers(run.checkpoints)
        return run

    def write_config(self, config: dict[str, Any]) -> None:
        """Write the settings to config.yaml."""
        self.write("config.yaml", yaml.safe_dump(config, sort_keys=False))

    def write(self, name: str, text: str) -> Path:
        """Write a file: a reader sees the old file or the new file, never a part of it."""
        path = self.path / name
        with writing(path), replacing(path) as stream:
            stream.write(text.encode())
        return path

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a file; nothing where it is not there yet."""
        path = self.path / name
        with writing(path):
            return path.read_bytes() if path.is_file() else b""

    def write_missing(self, name: str, text: Callable[[], str]) -> None:
        """Write a file unless it exists; a run that was killed at its start may lack it."""
        if not (self.path / name).is_file():
            self.write(name, text())

    def remove(self, name: str) -> None:
        """Remove a file if it exists, for example a result that will be computed again."""
        with writing(self.path / name):
            (self.path / name).unlink(missing_ok=True)

    def append(self, name: str, record: dict[str, Any]) -> None:
        """Append a record as one line of JSON; non-finite numbers are an error."""
        line = json.dumps(record, allow_nan=False)
        path = self.path / name
        with writing(path):
            append_line(path, line)

    def keep_lines(self, name: str, num_lines: int) -> None:
        """Cut a file back to its first `num_lines` lines, as it was at a checkpoint.

        Raises:
            RunDirectoryError: It has fewer whole lines, or cannot be read.
        """
        path = self.path / name
        with writing(path):
            content = path.read_bytes() if path.is_file() else b""
        lines = content.splitlines(keepends=True)
        num_whole = len(lines) - bool(lines and not lines[-1].endswith(b"\n"))
        if num_whole < num_lines:
            raise RunDirectoryError(
                f"{path}: has {num_whole} whole lines, but the checkpoint was written after "
                f"{num_lines} epochs; restore the file or start another run"
            )
        if len(lines) > num_lines:
            with writing(path), replacing(path) as stream:
                stream.write(b"".join(lines[:num_lines]))

    def save_checkpoint(self, step: int, state: dict[str, Any]) -> None:
        """Write a checkpoint; see `nas.runtime.checkpoint.save_checkpoint`."""
        save_checkpoint(self.checkpoints, step, state)

    def write_checkpoint(self, name: str, state: dict[str, Any]) -> None:
        """Write a checkpoint that later checkpoints do not replace."""
        write_checkpoint(self.checkpoints / name, state)


class SilentRunDirectory(RunDirectory):
    """The run directory of the other processes, which write nothing."""

    def write(self, name: str, text: str) -> Path:
        """Return the path that rank 0 writes to."""
        return self.path / name

    def write_missing(self, name: str, text: Callable[[], str]) -> None:
        """Do nothing, like all methods below."""

    def remove(self, name: str) -> None:  # noqa: D102
        pass

    def append(self, name: str, record: dict[str, Any]) -> None:  # noqa: D102
        pass

    def keep_lines(self, name: str, num_lines: int) -> None:  # noqa: D102
        pass

    def save_checkpoint(self, step: int, state: dict[str, Any]) -> None:  # noqa: D102
        pass

    def write_checkpoint(self, name: str, state: dict[str, Any]) -> None:  # noqa: D102
        pass


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one clear message."""
    try:
        yield
    except OSError as cause:
        raise RunDirectoryError(
            f"{path}: cannot be written: {cause.strerror}; check the path, the permissions and the "
            "free space"
        ) from cause
