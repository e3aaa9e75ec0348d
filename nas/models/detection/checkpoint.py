"""A trained detector from its checkpoint alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from nas.errors import CheckpointError, ConfigError
from nas.models.detection.ssdlite import SSDLite, build_detector
from nas.models.from_checkpoint import part_of, read_described
from nas.models.weights import fit_weights


@dataclass(frozen=True)
class TrainedDetector:
    """A detector and what it was trained with."""

    name: str
    """As in `build_detector`."""
    net: SSDLite
    classes: tuple[str, ...]
    config: dict[str, Any]
    """The settings of its training, by name."""
    where: str
    """The file or folder that it is from."""


def load_detector(path: str | Path) -> TrainedDetector:
    """Build the detector of a checkpoint, or of the newest one of a run directory.

    Raises:
        CheckpointError: It cannot be read, or is not of a detector.
    """
    return detector_of(*read_described(Path(path)))


def detector_of(state: dict[str, Any], where: str) -> TrainedDetector:
    """Build the detector of what `read_described` returned.

    Raises:
        CheckpointError: It is not of a detector, or is damaged.
    """
    name = state.get("detector")
    if not isinstance(name, str):
        raise CheckpointError(
            f"{where}: is not of a detector; give a checkpoint of `nas detect train`"
        )
    classes = part_of(state, "classes", where, list)
    weights = part_of(state, "net", where)
    if not classes or not all(isinstance(text, str) for text in classes):
        raise CheckpointError(f"{where}: its classes are not names; it is damaged")
    if not all(isinstance(value, Tensor) for value in weights.values()):
        raise CheckpointError(f"{where}: its weights are not tensors by name; it is damaged")
    try:
        net = build_detector(name, len(classes))
    except ConfigError as cause:
        raise CheckpointError(f"{where}: {cause}") from cause
    fit_weights(net, weights, where)
    config = part_of(state, "config", where)
    return TrainedDetector(name, net.eval(), tuple(classes), config, where)
