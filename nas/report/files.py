"""Write finished pictures, each whole or not at all."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from nas.errors import ReportError


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
