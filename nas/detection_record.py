"""What a detector's measurement writes as JSON and reports read back (no torch)."""

import dataclasses
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.errors import ReportError
from nas.records import is_count, is_number, parse_object, take
from nas.strict_yaml import read_text

_MAX_BYTES = 1 << 24
_LISTS = ("classes", "num_objects", "ap_11", "ap_area", "ap_coco", "curves")
NUMBERS = (
    "learning_rate",
    "train_loss",
    "train_class_loss",
    "train_box_loss",
    "test_map_11",
    "test_map_area",
    "test_map_coco",
)
"""What metrics.jsonl has of each interval of a training, for curves."""
NUM_RECALLS = 101
"""Points of a curve, at recalls of 0, 0.01, ..., 1."""
Values = tuple[float | None, ...]


@dataclass(frozen=True)
class DetectionEvaluation:
    """How well a detector does on the images of one split."""

    num_images: int
    classes: tuple[str, ...]
    num_objects: tuple[int, ...]
    """Objects of each class that are counted, which difficult ones are not."""
    ap_11: Values
    """VOC 2007 average precision of each class at IoU 0.5, percent; None without objects."""
    ap_area: Values
    """The same by the rule of VOC 2010, the area under the curve."""
    ap_coco: Values
    """COCO's average precision over IoU 0.5 to 0.95."""
    curves: tuple[tuple[float, ...] | None, ...]
    """Best precision of each class at recalls of 0, 0.01, ..., 1."""
    split: str = "test"
    iteration: int | None = None
    """The step after which it was measured; None where that is not known."""
    checkpoint: str | None = None
    """The file that was measured, where it was not the network of a run that just ended."""

    @property
    def map_11(self) -> float:
        """VOC 2007 mAP, percent."""
        return mean(self.ap_11)

    @property
    def map_area(self) -> float:
        """VOC 2010 mAP, percent."""
        return mean(self.ap_area)

    @property
    def map_coco(self) -> float:
        """COCO's mAP, percent."""
        return mean(self.ap_coco)

    def to_json(self) -> str:
        """Return the text of detection.json."""
        means = {"map_11": self.map_11, "map_area": self.map_area, "map_coco": self.map_coco}
        return json.dumps({**means, **dataclasses.asdict(self)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> "DetectionEvaluation":
        """Read what `to_json` wrote.

        Raises:
            ReportError: A value is missing or of the wrong kind, or lists differ in length.
        """
        document = parse_object(text, where)
        lists = {name: take(document, name, where, _is_list, "a list") for name in _LISTS}
        if len({len(values) for values in lists.values()}) != 1:
            raise ReportError(f"{where}: expected lists of the same length, one entry a class")
        for name in ("ap_11", "ap_area", "ap_coco"):
            if not all(value is None or is_number(value) for value in lists[name]):
                raise ReportError(f"{where}: {name}: expected a number or null for each class")
        if not all(map(is_count, lists["num_objects"])):
            raise ReportError(f"{where}: num_objects: expected a whole number for each class")
        if not all(curve is None or _is_curve(curve) for curve in lists["curves"]):
            raise ReportError(
                f"{where}: curves: expected {NUM_RECALLS} numbers or null for each class"
            )
        return cls(
            num_images=take(document, "num_images", where, is_count, "a whole number"),
            classes=tuple(map(str, lists["classes"])),
            num_objects=tuple(lists["num_objects"]),
            ap_11=tuple(lists["ap_11"]),
            ap_area=tuple(lists["ap_area"]),
            ap_coco=tuple(lists["ap_coco"]),
            curves=tuple(None if curve is None else tuple(curve) for curve in lists["curves"]),
            split=str(document.get("split", "test")),
            iteration=document.get("iteration"),
            checkpoint=document.get("checkpoint"),
        )


def read_detection(path: Path) -> DetectionEvaluation:
    """Read a detection.json.

    Raises:
        ReportError: It cannot be read.
    """
    return DetectionEvaluation.from_json(read_text(path, ReportError, _MAX_BYTES), str(path))


def mean(values: Sequence[float | None]) -> float:
    """Return the mean over the classes with objects; 0 where there is none."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else 0.0


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_curve(value: object) -> bool:
    return isinstance(value, list) and len(value) == NUM_RECALLS and all(map(is_number, value))
