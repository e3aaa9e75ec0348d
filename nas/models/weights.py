"""Published weights: read a checkpoint into a network, strictly.

The released MobileNeXt checkpoints are what `torch.save` writes of a dict with `state_dict`, where
training kept an average also `state_dict_ema`, and beside them the optimiser and the command line
as an `argparse.Namespace`. Plain state dicts, such as torchvision's, are read too.
"""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.errors import CheckpointError

_MAX_KEYS = 5
"""Keys that an error lists of each kind."""


def load_weights(model: nn.Module, path: str | Path, ema: bool = False) -> None:
    """Copy the weights of a checkpoint into a network; every one must fit.

    Nothing in the file is executed: beside tensors and plain values only `argparse.Namespace` is
    accepted. Keys may all carry the prefix "module." of a parallel wrapper. Where the checkpoint
    does not fit, the network is left as it was.

    Args:
        model: The network, which is changed in place.
        path: The file.
        ema: Whether to take the running average `state_dict_ema` instead of `state_dict`.

    Raises:
        CheckpointError: The file is missing, damaged, holds other objects, has no weights of the
            kind asked for, or its keys or shapes are not those of the network.
    """
    path = Path(path)
    state = _without_prefix(_state_dict(_read(path), path, ema))
    expected = model.state_dict()
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected]
    misshapen = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in state and state[key].shape != tensor.shape
    ]
    problems = [
        f"{len(keys)} {kind}: {_some(keys)}"
        for kind, keys in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", misshapen),
        )
        if keys
    ]
    if problems:
        raise CheckpointError(
            f"{path}: does not fit this {type(model).__name__}: {'; '.join(problems)}; build the "
            "network that was saved (model, width, num_classes)"
        )
    model.load_state_dict(state)


def _read(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as cause:
        raise CheckpointError(
            f"{path}: cannot be read: {cause.strerror or cause}; give the path of a checkpoint"
        ) from cause
    except Exception as cause:  # torch raises many kinds for a torn file
        blocked = re.search(r"GLOBAL (\S+)", str(cause))
        if blocked is not None:
            raise CheckpointError(
                f"{path}: holds {blocked[1]}, which is not loaded because it could run code; only "
                "tensors, plain values and argparse.Namespace are accepted"
            ) from cause
        reason = str(cause).partition(". ")[0] if isinstance(cause, RuntimeError) else ""
        raise CheckpointError(
            f"{path}: is damaged or no checkpoint{reason and f' ({reason})'}; fetch or copy it "
            "again"
        ) from cause


def _state_dict(content: Any, path: Path, ema: bool) -> Mapping[str, Tensor]:
    """Return the mapping of names to tensors in what was read."""
    wanted = "state_dict_ema" if ema else "state_dict"
    found = content
    if isinstance(content, Mapping) and (ema or wanted in content):
        found = content.get(wanted)
    if _is_state_dict(found):
        return found
    holds = type(content).__name__
    if isinstance(content, Mapping):
        holds = f"the keys {_some([str(key) for key in content])}"
    advice = "ask for it without ema" if ema else "it should hold the weights by name"
    raise CheckpointError(f"{path}: has no {wanted}; it holds {holds}; {advice}")


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(key, str) and isinstance(v, Tensor) for key, v in value.items())
    )


def _without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = "module." if all(key.startswith("module.") for key in state) else ""
    return {key.removeprefix(prefix): tensor for key, tensor in state.items()}


def _some(keys: list[str]) -> str:
    more = len(keys) - _MAX_KEYS
    return ", ".join(keys[:_MAX_KEYS]) + (f" and {more} more" if more > 0 else "")
