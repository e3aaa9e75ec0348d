"""Checkpoints: written whole or not at all, the last few kept, read without executing anything.

A file is what `torch.save` writes, followed by a line with its SHA-256, which `torch.load` ignores.
A file without this line was cut short; a file with another SHA-256 was damaged.
"""

import hashlib
import io
import logging
import re
import zipfile
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch

from nas.errors import CheckpointError
from nas.files import replacing

_log = logging.getLogger(__name__)
NUM_KEPT = 2
"""Default number of checkpoints that are kept."""
MAX_BYTES = 1 << 36
"""Larger files are refused."""
_NAME = re.compile(r"step_(\d{9})\.pt")
_CHECKSUM = re.compile(rb"\nnas checkpoint sha256 ([0-9a-f]{64})\n")
_CHECKSUM_BYTES = len("\nnas checkpoint sha256 \n") + 64


def save_checkpoint(
    directory: Path, step: int, state: dict[str, Any], num_kept: int = NUM_KEPT
) -> Path:
    """Write a checkpoint and remove all but the last few.

    Args:
        directory: The run's checkpoints/.
        step: Optimizer steps so far, which name the file.
        state: Tensors and plain data that `torch.load(weights_only=True)` can read.
        num_kept: Number of checkpoints to keep, including this one.

    Raises:
        CheckpointError: It cannot be written; older checkpoints are not changed.
    """
    path = directory / f"step_{step:09d}.pt"
    write_checkpoint(path, state)
    for old in list_checkpoints(directory)[num_kept:]:
        old.unlink(missing_ok=True)
    return path


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write one file: a reader sees the old file or the new file, never a part of it.

    When this returns, the file is on the disk.

    Raises:
        CheckpointError: It cannot be written; an existing file is not changed.
    """
    try:
        with replacing(path) as stream:
            hashing = _HashingWriter(stream)
            torch.save(state, cast(IO[bytes], hashing))
            stream.write(b"\nnas checkpoint sha256 %s\n" % hashing.sha256.hexdigest().encode())
    except (OSError, RuntimeError) as cause:
        raise CheckpointError(
            f"{path}: cannot be written: {_reason(cause)}; check free space and permissions; older "
            "checkpoints are not changed, continue with `resume`"
        ) from cause


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read one checkpoint onto the CPU, without executing anything that is in it.

    Raises:
        CheckpointError: It does not exist, or is not a checkpoint.
    """
    return parse_checkpoint(read_checkpoint(path), str(path))


def read_checkpoint(path: Path) -> bytes:
    """Read the bytes of one checkpoint and compare them with their checksum.

    Raises:
        CheckpointError: It does not exist, was cut short or is damaged.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: does not exist; give the path of a checkpoint")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{path}: not a checkpoint: larger than {MAX_BYTES} bytes")
        content = path.read_bytes()
    except OSError as cause:
        raise CheckpointError(f"{path}: cannot be read: {cause.strerror}") from cause
    checksum = _CHECKSUM.fullmatch(content[-_CHECKSUM_BYTES:])
    if checksum is None:
        raise CheckpointError(
            f"{path}: not a checkpoint that can be read (no checksum at its end: it was cut short "
            "or written by another program)"
        )
    payload = content[:-_CHECKSUM_BYTES]
    if hashlib.sha256(payload).hexdigest().encode() != checksum[1]:
        raise CheckpointError(
            f"{path}: not a checkpoint that can be read (it was damaged: its checksum differs)"
        )
    return payload


def parse_checkpoint(payload: bytes, where: str) -> dict[str, Any]:
    """Turn the bytes of a checkpoint into its state, without executing anything in them.

    Args:
        payload: The result of `read_checkpoint`.
        where: The name of the file, for messages.

    Raises:
        CheckpointError: They are not a dictionary that `torch.save` wrote.
    """
    try:
        _check_archive(payload)
        state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as cause:  # torch raises many kinds for a damaged file
        raise CheckpointError(
            f"{where}: not a checkpoint that can be read ({' '.join(str(cause).split())[:200]})"
        ) from cause
    if not isinstance(state, dict):
        raise CheckpointError(f"{where}: holds a {type(state).__name__}, expected a dictionary")
    return state


def read_newest(directory: Path) -> tuple[bytes, Path]:
    """Read the newest intact checkpoint; damaged ones are skipped with a warning.

    Raises:
        CheckpointError: There is none.
    """
    damaged = []
    for path in list_checkpoints(directory):
        try:
            payload = read_checkpoint(path)
            parse_checkpoint(payload, str(path))
            return payload, path
        except CheckpointError as cause:
            damaged.append(path.name)
            _log.warning("damaged, trying the checkpoint before it: %s", cause)
    existing = f"only damaged ones ({', '.join(damaged)})" if damaged else "none"
    raise CheckpointError(
        f"{directory}: no checkpoint to continue from: found {existing}; start a new run in "
        "another directory"
    )


def load_newest(directory: Path) -> dict[str, Any]:
    """Read the state of the newest intact checkpoint; see `read_newest`."""
    payload, path = read_newest(directory)
    return parse_checkpoint(payload, str(path))


def list_checkpoints(directory: Path) -> list[Path]:
    """Return the checkpoints of a directory, newest first."""
    paths = (path for path in directory.glob("step_*.pt") if _NAME.fullmatch(path.name))
    return sorted(paths, reverse=True)


def _reason(cause: BaseException) -> str:
    """Return what the file system reported, which torch hides behind its own error."""
    error: BaseException | None = cause
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__context__
    return " ".join(str(cause).split())[:200]


def _check_archive(payload: bytes) -> None:
    """Raise if unpacking would take more memory than the file: torch never compresses."""
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("it has compressed entries")
    if sum(entry.file_size for entry in entries) > len(payload):
        raise ValueError("its entries are larger than the file")


class _HashingWriter:
    """Forwards what `torch.save` writes, and hashes it."""

    def __init__(self, stream: BinaryIO):
        self.stream = stream
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self.stream.write(data)

    def flush(self) -> None:
        self.stream.flush()
