"""Copy the weights of a checkpoint into a network, completely or not at all."""

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor, nn

from nas.errors import CheckpointError
from nas.models.weight_files import StateDict, read_state_dicts
from nas.models.weight_names import Translation, translations

_log = logging.getLogger(__name__)
_MAX_NAMES = 5
"""Number of names that a message lists."""
_USUAL_PLACES = ("", "state_dict", "model_state_dict", "model", "net")
"""Where weights are usually stored; preferred if a file holds a network several times."""
_AVERAGE = re.compile(r"(?:^|[._])(?:ema|swa|averaged?)(?:[._]|$)")
_AUXILIARY = "auxiliary_head."
"""Weights that are used in training only, and may be missing or left over."""


def load_weights(
    model: nn.Module, path: str | Path, ema: bool = False, *, new_classifier: bool = False
) -> list[str]:
    """Copy the weights of a checkpoint into a network.

    Checkpoints of other programs are read too; docs/checkpoints.md lists the forms. Nothing in the
    file is executed. If the checkpoint does not fit, the network is not changed.

    Args:
        model: The network, which is changed in place.
        path: The file, or a run directory.
        ema: Whether to take the moving average of the weights that the file also holds.
        new_classifier: Whether a classifier for another number of classes is left out, so that
            it keeps its initial weights, as a start for fine-tuning.

    Returns:
        The names of the network's weights that were not in the file.

    Raises:
        CheckpointError: The file cannot be read, holds no weights of the kind asked for, or its
            names or shapes are not those of the network.
    """
    path = Path(path)
    state, names = _choose(read_state_dicts(path), model.state_dict(), path, ema)
    if names.outside:
        _log.info("%s: not part of the network: %s", path, _listed(names.outside))
    by_name = {**names.names, **names.unknown}
    return fit_weights(
        model, {ours: state[name] for ours, name in by_name.items()}, path, new_classifier
    )


def fit_weights(
    model: nn.Module, state: Mapping[str, Tensor], where: str | Path, new_classifier: bool = False
) -> list[str]:
    """Copy weights by name into a network, which is not changed if they do not fit.

    The counters of BatchNorm layers (`num_batches_tracked`) and the auxiliary head may be missing.

    Args:
        model: The network, which is changed in place.
        state: The weights by name.
        where: Their origin, for the message.
        new_classifier: As in `load_weights`.

    Returns:
        As in `load_weights`.

    Raises:
        CheckpointError: Names or shapes are not those of the network.
    """
    own = model.state_dict()
    new = _other_classifiers(model, state) if new_classifier else []
    missing = [name for name in own if name not in state and not name.endswith("_tracked")]
    unexpected = [name for name in state if name not in own]
    misshapen = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in state and name not in new and state[name].shape != tensor.shape
    ]
    problems = [
        f"{len(names)} {kind}: {_listed(names)}"
        for kind, names in (
            ("missing", [name for name in missing if not name.startswith(_AUXILIARY)]),
            ("unexpected", [name for name in unexpected if not name.startswith(_AUXILIARY)]),
            ("with another shape", misshapen),
        )
        if names
    ]
    if problems:
        raise CheckpointError(
            f"{where}: does not fit this {type(model).__name__}: {'; '.join(problems)}; build the "
            "network that was saved (model, width, num_classes)"
        )
    for names, reason in (
        (new, "has another number of classes, keeps its initial weights"),
        (missing, "not in the file, keeps its initial weights"),
        (unexpected, "not used by this network, left out"),
    ):
        if names:
            _log.info("%s: %s: %s", where, reason, _listed(names))
    model.load_state_dict({**own, **{k: v for k, v in state.items() if k in own and k not in new}})
    return new + missing


def _choose(
    found: Mapping[str, StateDict], own: StateDict, path: Path, ema: bool
) -> tuple[StateDict, Translation]:
    """Return the state dict of a file that fits best, and the translation of its names."""
    choices = {
        f"{place}.{names.prefix}".strip("."): (place, state, names)
        for place, state in found.items()
        for names in translations(state, own)
    }
    averages = {label for label in choices if _AVERAGE.search(label)}
    if ema and not averages:
        raise CheckpointError(
            f"{path}: has no moving average of the weights; leave ema_weights out"
        )
    if averages and (ema or averages != choices.keys()):
        choices = {label: c for label, c in choices.items() if (label in averages) == ema}
    if not choices:  # no name is known: let the caller say which are missing
        state = max(found.values(), key=len)
        return state, Translation("", {}, dict(zip(state, state, strict=True)), [])
    most = max(len(names.names) for _, _, names in choices.values())
    best = {k: c for k, c in choices.items() if len(c[2].names) == most}
    if len(best) > 1:
        usual = [label for label, (place, _, _) in best.items() if place in _USUAL_PLACES]
        if len(usual) != 1:
            raise CheckpointError(
                f"{path}: holds weights for this network several times: {_listed(best)}; save the "
                "one that you want alone"
            )
        best = {usual[0]: best[usual[0]]}
    _, state, names = next(iter(best.values()))
    return state, names


def _other_classifiers(model: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the linear layers that differ in the number of outputs only."""
    names = []
    for prefix, module in model.named_modules():
        weight = state.get(f"{prefix}.weight")
        if (
            isinstance(module, nn.Linear)
            and weight is not None
            and weight.shape != module.weight.shape
            and weight.shape[1:] == module.weight.shape[1:]
        ):
            names += [f"{prefix}.{name}" for name in module.state_dict()]
    return names


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
