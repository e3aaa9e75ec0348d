"""Build the network of a checkpoint from nothing but the file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.errors import CheckpointError, NasError, shown
from nas.genotype import Genotype
from nas.models.description import build_model
from nas.models.weights import fit_weights
from nas.operators import resolve_genotype
from nas.runtime.checkpoint import list_checkpoints, load_checkpoint, load_newest

_ADVICE = "give a checkpoint of a training run"


def read_described(path: Path) -> tuple[dict[str, Any], str]:
    """Read a checkpoint, or the newest one of a run directory.

    Returns:
        What it holds, by name, and the path of the file or folder.

    Raises:
        CheckpointError: It cannot be read, or does not describe its network.
    """
    if (path / "checkpoints").is_dir():
        path = path / "checkpoints"
    if path.is_dir() and not list_checkpoints(path):
        raise CheckpointError(f"{path}: has no checkpoint; {_ADVICE}")
    state = load_newest(path) if path.is_dir() else load_checkpoint(path)
    described = state.get("description")
    if not isinstance(described, dict):
        is_search = "alphas" in state
        advice = "it is of a search; train what it found first" if is_search else _ADVICE
        raise CheckpointError(f"{path}: does not say which network it is of; {advice}")
    return {**state, **described}, str(path)


def saved_value_range(state: dict[str, Any], where: str) -> int | None:
    """Return what is white in gray images of more than 8 bits; None: the dataset has none.

    Raises:
        CheckpointError: It is not a number.
    """
    value = state.get("value_range")
    if value is not None and (type(value) is not int or value < 1):
        raise CheckpointError(
            f"{where}: value_range: expected a whole number, found {shown(value)}"
        )
    return value


def part_of(state: dict[str, Any], key: str, where: str, kind: type = dict) -> Any:
    """Return an entry of what `read_described` returned.

    Raises:
        CheckpointError: It is missing, or has another type.
    """
    if not isinstance(state.get(key), kind):
        raise CheckpointError(f"{where}: has no {key!r}; {_ADVICE}")
    return state[key]


def build_described(state: dict[str, Any], where: str, plugins: Sequence[str] = ()) -> nn.Module:
    """Build the network of a checkpoint, with the weights that were measured.

    Args:
        state: First result of `read_described`.
        where: Second result of `read_described`.
        plugins: Plug-ins that the user names; those that a checkpoint names are not imported.

    Raises:
        CheckpointError: The description or the weights cannot be used.
        GenotypeError: The genotype cannot be read.
        OperatorError: An operator of the genotype is not registered.
    """
    model = part_of(state, "model", where)
    if not {"genotype", "network", "model"} & model.keys():
        raise CheckpointError(
            f"{where}: holds neither a genotype nor the name of a network; {_ADVICE}"
        )
    if "genotype" in model:
        resolve_genotype(Genotype.from_json(str(model["genotype"]), where), plugins)
    try:
        net = build_model(model)
    except NasError:
        raise
    except Exception as cause:  # a damaged description can fail in many ways
        raise CheckpointError(
            f"{where}: its description of the network cannot be used: {str(cause).splitlines()[0]}"
        ) from cause
    fit_weights(net, _weights(state, where), where)
    return net


def _weights(state: dict[str, Any], where: str) -> dict[str, torch.Tensor]:
    """Return the weights that were measured: the moving average if there is one."""
    key = "measured_net" if "measured_net" in state else "ema" if state.get("ema") else "net"
    weights = part_of(state, key, where)
    if key == "ema":
        prefix = "module."
        weights = {k[len(prefix) :]: v for k, v in weights.items() if str(k).startswith(prefix)}
    if not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in weights.items()):
        raise CheckpointError(f"{where}: its weights are not tensors by name")
    return weights
