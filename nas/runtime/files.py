"""Files that are whole or not there, whatever kills the program in between."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

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
