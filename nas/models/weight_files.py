"""Read the weights in a file: everything in it that could be a state dict, by name.

Formats: what `torch.save` writes, safetensors, and run directories of this project. Nothing in a
file is executed. Objects that are neither tensors nor plain values are skipped.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from nas.errors import CheckpointError
from nas.runtime.checkpoint import list_checkpoints

StateDict = dict[str, Tensor]

_MAX_DEPTH = 3
"""Mappings are searched for state dicts down to this depth."""
_LEGACY_OBJECTS = (
    "argparse.Namespace",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
)
"""Objects to skip in files of torch before 1.6, whose contents cannot be listed in advance."""
_OTHER_FILES = {
    b"version https://git-lfs": "is a Git LFS pointer, not the file itself; run `git lfs pull`",
    b"<": "is a web page or XML, not a checkpoint; download the file itself",
    b"\x1f\x8b": "is compressed with gzip; unpack it first",
    b"\x89HDF": "is an HDF5 file of another framework; convert it to a PyTorch state dict",
}


class _Skipped:
    """Takes the place of an object that is not a tensor or a plain value."""

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass


def read_state_dicts(path: Path) -> dict[str, StateDict]:
    """Return all state dicts in a file by their place in it, such as "state_dict" or "model.ema".

    Args:
        path: A file, or a run directory, of which the newest checkpoint is read.

    Returns:
        Tensors by name. The place of a file that is itself a state dict is "".

    Raises:
        CheckpointError: The file cannot be read, is damaged or holds no tensors.
    """
    path = _file(path)
    if path.suffix == ".safetensors":
        return {"": _read_safetensors(path)}
    content = _read_torch(path)
    found = dict(_state_dicts(content, "", _MAX_DEPTH))
    if not found:
        raise CheckpointError(f"{path}: holds no weights; it holds {_contents(content)}")
    return found


def _file(path: Path) -> Path:
    if (path / "checkpoints").is_dir():
        path = path / "checkpoints"
    if path.is_dir():
        checkpoints = list_checkpoints(path)
        if not checkpoints:
            raise CheckpointError(
                f"{path}: is a directory without checkpoints; give the path of a file"
            )
        return checkpoints[0]
    return path


def _read_safetensors(path: Path) -> StateDict:
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as cause:
        raise CheckpointError(f"{path}: cannot be read: {cause}") from cause


def _read_torch(path: Path) -> Any:
    try:
        with path.open("rb") as stream:
            start = stream.read(32)
        skipped: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
            (_Skipped, name) for name in _other_objects(path)
        ]
        with torch.serialization.safe_globals(skipped):
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as cause:
        raise CheckpointError(
            f"{path}: cannot be read: {cause.strerror or cause}; give the path of a checkpoint"
        ) from cause
    except Exception as cause:  # torch raises many kinds of errors for a damaged file
        raise CheckpointError(f"{path}: {_reason(cause, start)}") from cause


def _other_objects(path: Path) -> list[str]:
    """Return the classes and functions in a file that are not needed for tensors."""
    try:
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except ValueError:  # not a zip archive
        return list(_LEGACY_OBJECTS)


def _reason(cause: Exception, start: bytes) -> str:
    text = str(cause)
    for magic, reason in _OTHER_FILES.items():
        if start.lstrip().startswith(magic):
            return reason
    if "TorchScript" in text:
        return "is a TorchScript archive; save the state_dict() of the model instead"
    if blocked := re.search(r"GLOBAL (\S+)", text):
        return (
            f"holds {blocked[1]}, which is not loaded because it could run code; save only the "
            "state_dict() of the model"
        )
    if "Can only" in text:
        return (
            "holds objects of another program that cannot be skipped; save only the state_dict() "
            "of the model"
        )
    short = text.partition(". ")[0][:100] if isinstance(cause, RuntimeError) else ""
    return f"is damaged or not a checkpoint{short and f' ({short})'}; download or copy it again"


def _state_dicts(value: Any, place: str, depth: int) -> list[tuple[str, StateDict]]:
    if not isinstance(value, Mapping):
        return []
    names = {key: item for key, item in value.items() if isinstance(key, str)}
    tensors = {key: item for key, item in names.items() if isinstance(item, Tensor)}
    own = [(place, tensors)] if tensors else []
    if depth == 0:
        return own
    return own + [
        found
        for key, item in names.items()
        for found in _state_dicts(item, f"{place}.{key}".lstrip("."), depth - 1)
    ]


def _contents(content: Any) -> str:
    if isinstance(content, _Skipped):
        return "a whole model as a Python object; save its state_dict() instead"
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    keys = [str(key) for key in content]
    if any(isinstance(value, _Skipped) for value in content.values()):
        return f"the keys {', '.join(keys[:5])}, among them Python objects, which are not loaded"
    return f"the keys {', '.join(keys[:5])}" if keys else "nothing"
