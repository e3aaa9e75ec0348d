"""The JSON documents of a run directory, read into frozen records and checked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from nas.errors import ReportError, shown
from nas.report.json_lines import is_count, is_number
from nas.strict_yaml import read_text

_MAX_BYTES = 1 << 24


@dataclass(frozen=True)
class LayerCost:
    """What one layer, or one part of a network, costs."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    """(C, H, W) or (features,); empty where a layer does not run outside training."""
    num_parameters: int
    madds: int


@dataclass(frozen=True)
class Cost:
    """What a network costs; multiply-adds are of one image, the auxiliary head is left out."""

    image_shape: tuple[int, ...]
    """(C, H, W)"""
    num_parameters: int
    num_parameters_with_auxiliary: int
    madds: int
    layers: tuple[LayerCost, ...]

    def parts(self) -> list[LayerCost]:
        """Add the layers up by part: a child of the network, or an entry of a list of children."""
        parts = []
        for name, group in groupby(self.layers, key=lambda layer: _part_of(layer.name)):
            layers = list(group)
            shapes = [layer.output_shape for layer in layers if layer.output_shape]
            parts.append(
                LayerCost(
                    name=name,
                    kind=f"{len(layers)} layers" if len(layers) > 1 else layers[0].kind,
                    output_shape=shapes[-1] if shapes else (),
                    num_parameters=sum(layer.num_parameters for layer in layers),
                    madds=sum(layer.madds for layer in layers),
                )
            )
        return parts


@dataclass(frozen=True)
class Evaluation:
    """What a network does on one split; percent and nats."""

    split: str
    epoch: int | None
    num_images: int
    loss: float
    top1: float
    top5: float
    classes: tuple[str, ...]
    per_class_accuracy: tuple[float | None, ...]
    """None for a class without images."""
    confusion: tuple[tuple[int, ...], ...] | None
    """Images by true class (row) and predicted class (column)."""


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        ReportError: It cannot be read, is no JSON, or holds something else.
    """
    try:
        document = json.loads(read_text(path, ReportError, _MAX_BYTES))
    except (ValueError, RecursionError) as cause:
        raise ReportError(f"{path}: not a JSON object ({cause}); mend or remove it") from cause
    if not isinstance(document, dict):
        raise ReportError(f"{path}: expected a JSON object, found {type(document).__name__}")
    return document


def read_cost(path: Path) -> Cost:
    """Read cost.json.

    Raises:
        ReportError: It is broken.
    """
    document = read_object(path)
    where = str(path)
    counts = ("num_parameters", "num_parameters_with_auxiliary", "madds")
    numbers = {key: _take(document, key, where, is_count, "a whole number") for key in counts}
    layers = []
    for place, layer in enumerate(_take(document, "layers", where, _is_list, "a list")):
        at = f"{where}: layers[{place}]"
        if not isinstance(layer, dict):
            raise ReportError(f"{at}: expected an object, found {shown(layer)}")
        texts = {key: _take(layer, key, at, _is_text, "text") for key in ("name", "kind")}
        sizes = {
            key: _take(layer, key, at, is_count, "a whole number")
            for key in ("num_parameters", "madds")
        }
        shape = _take(layer, "output_shape", at, _is_shape, "a list of whole numbers")
        layers.append(LayerCost(output_shape=tuple(shape), **texts, **sizes))
    shape = _take(document, "image_shape", where, _is_shape, "a list of whole numbers")
    return Cost(image_shape=tuple(shape), layers=tuple(layers), **numbers)


def read_evaluation(path: Path) -> Evaluation:
    """Read evaluation.json.

    Raises:
        ReportError: It is broken, or its lists are not of one length.
    """
    document = read_object(path)
    where = str(path)
    taken = {key: _take(document, key, where, is_number, "a number")
             for key in ("loss", "top1", "top5")}  # fmt: skip
    taken["num_images"] = _take(document, "num_images", where, is_count, "a whole number")
    taken["split"] = _take(document, "split", where, _is_text, "text")
    if (epoch := document.get("epoch")) is not None and not is_count(epoch):
        raise ReportError(f"{where}: epoch: expected a whole number, found {shown(epoch)}")
    classes = _take(document, "classes", where, _is_texts, "a list of names")
    accuracies = _take(document, "per_class_accuracy", where, _is_list, "a list")
    if len(accuracies) != len(classes) or not all(a is None or is_number(a) for a in accuracies):
        raise ReportError(
            f"{where}: per_class_accuracy: expected a number or null for each of the "
            f"{len(classes)} classes"
        )
    confusion = document.get("confusion")
    if confusion is not None and not _is_square(confusion, len(classes)):
        raise ReportError(
            f"{where}: confusion: expected null or {len(classes)} rows of {len(classes)} whole "
            "numbers, one for each of the classes"
        )
    return Evaluation(
        epoch=epoch,
        classes=tuple(classes),
        per_class_accuracy=tuple(accuracies),
        confusion=tuple(map(tuple, confusion)) if confusion else None,
        **taken,
    )


def check_timing(record: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a line of timing.jsonl whose values are numbers, or raise ReportError."""
    _take(record, "time_s", where, is_number, "a number of seconds")
    for key, value in record.items():
        if value is not None and not is_number(value):
            raise ReportError(f"{where}: {shown(key)}: expected a number, found {shown(value)}")
    return record


def _take(record: Mapping[str, Any], key: str, where: str, is_right: Any, kind: str) -> Any:
    if key not in record:
        raise ReportError(f"{where}: without {key!r}; is it the file of another program?")
    if not is_right(record[key]):
        raise ReportError(f"{where}: {key}: expected {kind}, found {shown(record[key])}")
    return record[key]


def _part_of(name: str) -> str:
    first, *rest = name.split(".")
    return f"{first}.{rest[0]}" if len(rest) > 1 and rest[0].isdigit() else first


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_count, value))


def _is_square(value: Any, side: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == side
        and all(_is_shape(row) and len(row) == side for row in value)
    )
