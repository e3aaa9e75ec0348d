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
    for old in list_checkpoints(directory)[NUM_KEPT:]:
        old.unlink()
    return path


def load_newest(directory: Path) -> dict[str, Any]:
    """Read the newest checkpoint that is whole; says on stderr which ones it had to pass over.

    Raises:
        CheckpointError: There is none.
    """
    damaged = []
    for path in list_checkpoints(directory):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as cause:  # torch raises many kinds for a torn file
            damaged.append(path.name)
            print(f"{path}: damaged, trying the one before it ({cause})", file=sys.stderr)
    found = f"only damaged ones ({', '.join(damaged)})" if damaged else "none"
    raise CheckpointError(
        f"{directory}: no checkpoint to continue from: found {found}; start anew in another "
        "directory"
    )


def list_checkpoints(directory: Path) -> list[Path]:
    """Return the checkpoints of a directory, newest first."""
    paths = (path for path in directory.glob("step_*.pt") if _NAME.fullmatch(path.name))
    return sorted(paths, reverse=True)
