"""Files that are whole or absent, however the program that writes them ends."""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from nas.errors import ReportError

_LEFTOVERS = ".*.tmp"
_MAX_NAME = 80
"""Characters of a file name made of what a user typed."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a whole file: a reader sees the old one or the new one, never a mixture.

    The new content goes to a temporary file in the same folder, which follows no link. When the
    context ends, the file is on the disk and has replaced the old one.

    Yields:
        The stream to write to. When the body raises, the old file is untouched.

    Raises:
        OSError: It cannot be written; the old file is untouched.
    """
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)  # left by a killed process that had the same id
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


def write_files(contents: Mapping[Path, bytes]) -> list[Path]:
    """Write several files; none is replaced before all of them are written.

    Args:
        contents: The bytes of each file; missing folders are made.

    Returns:
        The paths, in order.

    Raises:
        ReportError: A folder cannot be made or written. No file is left half written.
    """
    path = None
    try:
        with contextlib.ExitStack() as files:
            for path, content in contents.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                stream = files.enter_context(replacing(path))
                stream.write(content)
                stream.flush()
    except OSError as cause:
        raise ReportError(
            f"{path}: cannot be written: {cause.strerror or cause}; choose a writable folder"
        ) from cause
    return list(contents)


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


def file_name(text: str) -> str:
    """Turn what a user typed into a name for a file; different texts get different names.

    A text of letters, digits and `_.+-` is its own name. Others have the characters between
    replaced, are cut to a reasonable length, and end in a hash of the text.
    """
    return text if _plain(text) == text != "" else hashed_name(text)


def hashed_name(text: str) -> str:
    """Return a name for a file that ends in a hash of the text that it was made of."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_plain(text)}-{digest}"


def _plain(text: str) -> str:
    name = re.sub(r"[^\w.+-]+", "_", text).strip("_.")[:_MAX_NAME]
    return name.encode(errors="replace")[:200].decode(errors="ignore")


def _sync_directory(directory: Path) -> None:
    """Bring a directory's names to the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
