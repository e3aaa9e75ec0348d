"""Checkpoints: whole files or none, the last few kept, read without executing anything."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import torch

from nas.errors import CheckpointError

NUM_KEPT = 2
_NAME = re.compile(r"step_(\d{9})\.pt")


def save_checkpoint(directory: Path, step: int, state: dict[str, Any]) -> Path:
    """Write a checkpoint and remove all but the last `NUM_KEPT`.

    Args:
        directory: The run's checkpoints/.
        step: Optimiser steps so far; names the file.
        state: Tensors and plain data that `torch.load(weights_only=True)` can read.

    Raises:
        CheckpointError: It cannot be written; the checkpoints before it are untouched.
    """
    path = directory / f"step_{step:09d}.pt"
    write_checkpoint(path, state)
    for old in list_checkpoints(directory)[NUM_KEPT:]:
        old.unlink()
    return path


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write one file: a reader sees the old one or the new one, never a part.

    Raises:
        CheckpointError: It cannot be written; what was there is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as cause:
        temporary.unlink(missing_ok=True)
        raise CheckpointError(
            f"{path}: cannot be written: {cause}; the checkpoints before it are untouched"
        ) from cause


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read one checkpoint onto the CPU, without executing anything that is in it.

    Raises:
        CheckpointError: It is not there, or is not a checkpoint.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file; give the path of a checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # torch raises many kinds for a torn file
        raise CheckpointError(
            f"{path}: not a checkpoint that can be read ({' '.join(str(cause).split())[:200]})"
        ) from cause
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: holds a {type(state).__name__}, expected a dictionary")
    return state


def load_newest(directory: Path) -> dict[str, Any]:
    """Read the newest checkpoint that is whole; says on stderr which ones it had to pass over.

    Raises:
        CheckpointError: There is none.
    """
    damaged = []
    for path in list_checkpoints(directory):
        try:
            return load_checkpoint(path)
        except CheckpointError as cause:
            damaged.append(path.name)
            print(f"damaged, trying the one before it: {cause}", file=sys.stderr)
    found = f"only damaged ones ({', '.join(damaged)})" if damaged else "none"
    raise CheckpointError(
        f"{directory}: no checkpoint to continue from: found {found}; start anew in another "
        "directory"
    )


def list_checkpoints(directory: Path) -> list[Path]:
    """Return the checkpoints of a directory, newest first."""
    paths = (path for path in directory.glob("step_*.pt") if _NAME.fullmatch(path.name))
    return sorted(paths, reverse=True)
