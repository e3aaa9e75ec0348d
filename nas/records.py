"""What a run writes as JSON and others read back: costs and evaluations (no torch).

The programs that measure and the reports that show share these records, so that a file always
means the same on both sides.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from nas.errors import ReportError, shown
from nas.strict_yaml import read_text

_MAX_BYTES = 1 << 24


def pairs_left(record: Mapping[str, Any], group: str) -> list[list[bool]]:
    """Return which pairs of edge and operator a search still has, (E, P).

    The second stage of a search records 0 as alpha and as weight of an operator that it removed; no
    softmax gives an alpha of 0 the weight 0.

    Args:
        record: A line of metrics.jsonl that has `arch_weights`.
        group: Of edges.
    """
    tables = zip(record["alphas"][group], record["arch_weights"][group], strict=True)
    return [
        [
            weight is not None and (weight != 0 or alpha != 0)
            for alpha, weight in zip(alphas, weights, strict=True)
        ]
        for alphas, weights in tables
    ]


@dataclass(frozen=True)
class LayerCost:
    """What one layer, or one group of layers, costs."""

    name: str
    kind: str
    """Its class, or the number of layers in a group."""
    output_shape: tuple[int, ...]
    """(C, H, W) or (num_features,) of one image; () for a layer that only runs in training."""
    num_parameters: int
    madds: int


@dataclass(frozen=True)
class Cost:
    """What a network costs for one image, in total and by layer."""

    image_shape: tuple[int, ...]
    """(C, H, W)"""
    num_parameters: int
    """Without the auxiliary head."""
    num_parameters_with_auxiliary: int
    madds: int
    """Multiply-adds in eval mode, where no auxiliary head runs."""
    layers: tuple[LayerCost, ...]

    def by_block(self) -> list[LayerCost]:
        """Sum the layers by block: a child of the network, or an entry of a list of children."""
        blocks = []
        for name, group in groupby(self.layers, key=lambda layer: _block_of(layer.name)):
            layers = list(group)
            shapes = [layer.output_shape for layer in layers if layer.output_shape]
            blocks.append(
                LayerCost(
                    name=name,
                    kind=f"{len(layers)} layers" if len(layers) > 1 else layers[0].kind,
                    output_shape=shapes[-1] if shapes else (),
                    num_parameters=sum(layer.num_parameters for layer in layers),
                    madds=sum(layer.madds for layer in layers),
                )
            )
        return blocks

    def to_json(self) -> str:
        """Return the text of cost.json."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> "Cost":
        """Read what `to_json` wrote.

        Args:
            text: The document.
            where: Its name, for messages.

        Raises:
            ReportError: A value is missing or of the wrong kind.
        """
        document = parse_object(text, where)
        counts = ("num_parameters", "num_parameters_with_auxiliary", "madds")
        numbers = {key: take(document, key, where, is_count, "a whole number") for key in counts}
        layers = take(document, "layers", where, _is_list, "a list")
        return cls(
            image_shape=tuple(take(document, "image_shape", where, _is_shape, _SHAPE)),
            **numbers,
            layers=tuple(
                _layer_cost(layer, f"{where}: layers[{index}]")
                for index, layer in enumerate(layers)
            ),
        )


@dataclass(frozen=True)
class Evaluation:
    """How well a network does on the images of one split."""

    num_images: int
    loss: float
    """Mean cross entropy without label smoothing, nats."""
    top1: float
    """Percent of images whose class has the highest logit."""
    top5: float
    """Percent whose class is among the five highest logits (all of them below five classes)."""
    per_class_accuracy: tuple[float | None, ...]
    """Top-1 percent of each class; None for a class without images."""
    confusion: tuple[tuple[int, ...], ...] | None
    """Images by true class (row) and predicted class (column); None where there are too many."""
    split: str = "test"
    epoch: int | None = None
    """The epoch after which it was measured; None where that is not known."""
    classes: tuple[str, ...] = ()
    """Names of the classes; () where they are not known."""
    checkpoint: str | None = None
    """The file that was measured, where it was not the network of a run that just ended."""

    def to_json(self) -> str:
        """Return the text of evaluation.json."""
        document = dataclasses.asdict(self)
        if self.checkpoint is None:
            del document["checkpoint"]
        first = {key: document.pop(key) for key in ("split", "epoch")}
        return json.dumps({**first, **document}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> "Evaluation":
        """Read what `to_json` wrote.

        Args:
            text: The document.
            where: Its name, for messages.

        Raises:
            ReportError: A value is missing or of the wrong kind, or lists differ in length.
        """
        document = parse_object(text, where)
        numbers = {
            key: take(document, key, where, is_number, "a number")
            for key in ("loss", "top1", "top5")
        }
        for key in ("top1", "top5"):
            if not 0 <= numbers[key] <= 100:
                raise ReportError(f"{where}: {key}: expected 0 to 100, found {numbers[key]}")
        classes = take(document, "classes", where, _is_texts, "a list of names")
        accuracies = take(document, "per_class_accuracy", where, _is_list, "a list")
        are_right = all(accuracy is None or is_number(accuracy) for accuracy in accuracies)
        if len(accuracies) != len(classes) or not are_right:
            raise ReportError(
                f"{where}: per_class_accuracy: expected a number or null for each of the "
                f"{len(classes)} classes"
            )
        confusion = document.get("confusion")
        if confusion is not None and not _is_square(confusion, len(classes)):
            raise ReportError(
                f"{where}: confusion: expected null or {len(classes)} rows of {len(classes)} "
                "whole numbers, one for each of the classes"
            )
        for key, is_right, kind in (
            ("epoch", is_count, "a whole number"),
            ("checkpoint", is_text, "text"),
        ):
            if document.get(key) is not None:
                take(document, key, where, is_right, kind)
        return cls(
            num_images=take(document, "num_images", where, is_count, "a whole number"),
            per_class_accuracy=tuple(accuracies),
            confusion=tuple(map(tuple, confusion)) if confusion else None,
            split=take(document, "split", where, is_text, "text"),
            epoch=document.get("epoch"),
            classes=tuple(classes),
            checkpoint=document.get("checkpoint"),
            **numbers,
        )


def read_cost(path: Path) -> Cost:
    """Read a cost.json.

    Raises:
        ReportError: It cannot be read or is damaged.
    """
    return Cost.from_json(_read(path), str(path))


def read_evaluation(path: Path) -> Evaluation:
    """Read an evaluation.json.

    Raises:
        ReportError: It cannot be read or is damaged.
    """
    return Evaluation.from_json(_read(path), str(path))


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        ReportError: It cannot be read, is not JSON, or holds something else.
    """
    return parse_object(_read(path), str(path))


def parse_object(text: str | bytes, where: str) -> dict[str, Any]:
    """Parse one JSON object.

    Raises:
        ReportError: It is not JSON, or holds something else.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise ReportError(f"{where}: not a JSON object ({cause}); fix or remove it") from cause
    if not isinstance(document, dict):
        raise ReportError(f"{where}: expected a JSON object, found {type(document).__name__}")
    return document


def take(
    record: Mapping[str, Any], key: str, where: str, is_right: Callable[[Any], bool], kind: str
) -> Any:
    """Return the value of a key.

    Args:
        record: An object of JSON.
        key: What must be in it.
        where: Its place, for messages.
        is_right: The check of the value.
        kind: What the value should be, in words.

    Raises:
        ReportError: The key is missing, or its value is of the wrong kind.
    """
    if key not in record:
        raise ReportError(f"{where}: without {key!r}; did another program write this file?")
    if not is_right(record[key]):
        raise ReportError(f"{where}: {key}: expected {kind}, found {shown(record[key])}")
    return record[key]


def read_rows(record: type, document: Mapping[str, Any], key: str, where: str) -> tuple[Any, ...]:
    """Read a list of objects into records of plain values; keys that a record lacks are ignored.

    Args:
        record: A dataclass whose fields are text, numbers, or true and false, by annotation.
        document: An object of JSON.
        key: Where it has the list.
        where: Its place, for messages.

    Raises:
        ReportError: It is no list of objects, or a value is missing or of the wrong kind.
    """
    rows = take(document, key, where, _is_objects, "a list of objects")
    return tuple(
        record(
            **{
                name: take(row, name, f"{where}: {key}[{index}]", *_KINDS[kind])
                for name, kind in record.__annotations__.items()
            }
        )
        for index, row in enumerate(rows)
    )


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a finite number."""
    # The bound excludes NaN and the infinities, which only Python's JSON has.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def is_count(value: Any) -> bool:
    """Whether a value of JSON is a whole number from 0 on."""
    return isinstance(value, int) and is_number(value) and value >= 0


def is_text(value: Any) -> bool:
    """Whether a value of JSON is text."""
    return isinstance(value, str)


def is_object(value: Any) -> bool:
    """Whether a value of JSON is an object."""
    return isinstance(value, dict)


_KINDS: Mapping[type, tuple[Callable[[Any], bool], str]] = {
    str: (is_text, "text"),
    int: (is_count, "a whole number"),
    float: (is_number, "a number"),
    bool: (lambda value: isinstance(value, bool), "true or false"),
}
_SHAPE = "a list of whole numbers"


def _read(path: Path) -> str:
    return read_text(path, ReportError, _MAX_BYTES)


def _layer_cost(layer: Any, where: str) -> LayerCost:
    if not isinstance(layer, dict):
        raise ReportError(f"{where}: expected an object, found {shown(layer)}")
    return LayerCost(
        name=take(layer, "name", where, is_text, "text"),
        kind=take(layer, "kind", where, is_text, "text"),
        output_shape=tuple(take(layer, "output_shape", where, _is_shape, _SHAPE)),
        num_parameters=take(layer, "num_parameters", where, is_count, "a whole number"),
        madds=take(layer, "madds", where, is_count, "a whole number"),
    )


def _block_of(name: str) -> str:
    first, *rest = name.split(".")
    return f"{first}.{rest[0]}" if len(rest) > 1 and rest[0].isdigit() else first


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_object, value))


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_count, value))


def _is_square(value: Any, side: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == side
        and all(_is_shape(row) and len(row) == side for row in value)
    )
