"""Files that are whole or not there, whatever kills the program in between."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from nas.errors import ReportError

_LEFTOVERS = ".*.tmp"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a whole file: a reader sees the old one or the new one, never a part.

    The temporary file stands beside it, is created anew and follows no link. When the context
    ends the file is on the disk, not only on its way there.

    Yields:
        Where to write. When the body raises, what was there is untouched.

    Raises:
        OSError: It cannot be written; what was there is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)  # of a killed process that had the same id
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def append_line(path: Path, line: str) -> None:
    """Append a line and bring it to the disk; when that fails, nothing of it stays.

    Raises:
        OSError: It cannot be written.
    """
    with path.open("ab") as stream:
        end = stream.tell()
        try:
            stream.write(line.encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        except BaseException:
            with contextlib.suppress(OSError):
                os.truncate(path, end)
            raise


def remove_leftovers(directory: Path) -> None:
    """Remove what `replacing` left behind in a directory when its process was killed."""
    for path in directory.glob(_LEFTOVERS):
        path.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """Bring a directory's names to the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_files(contents: Mapping[Path, bytes]) -> list[Path]:
    """Write each file beside its place and move it there, once all of them are written.

    Args:
        contents: The bytes of each file; missing folders are made.

    Returns:
        The paths, in order.

    Raises:
        ReportError: A folder cannot be made or written. No file is left half written.
    """
    waiting: dict[Path, Path] = {}
    path = None
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            # In the same folder, because replace is atomic only within one file system.
            waiting[path] = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            waiting[path].write_bytes(content)
        for path in contents:
            waiting[path].replace(path)
            del waiting[path]
    except OSError as cause:
        raise ReportError(
            f"{path}: cannot be written: {cause.strerror or cause}; "
            "choose a folder that can be written"
        ) from cause
    finally:
        for leftover in waiting.values():
            leftover.unlink(missing_ok=True)
    return list(contents)


def file_name(text: str) -> str:
    """Turn what a user typed into a part of a file's name."""
    return re.sub(r"[^\w.+-]+", "_", text).strip("_")[:80]
