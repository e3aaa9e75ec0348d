"""Average precision of detections: the rules of VOC 2007, VOC 2010 and COCO.

Detections of a class go through all images in order of their scores; each is right, wrong, or not
counted, because it detects a difficult object. Ties keep the order of the images, and within an
image that of the detections.

Source: the VOC development kit (VOCevaldet.m of 2007 and 2010); cocoeval.py of the COCO API.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import box_area, box_iou

from nas.data.voc import VocImage
from nas.models.detection import Detections

VOC_IOU = 0.5
COCO_IOUS = tuple((numpy.arange(10) * 0.05 + 0.5).round(2).tolist())
_COCO_RECALLS = numpy.linspace(0, 1, 101)
_EPSILON = numpy.spacing(1.0)


class Curve(NamedTuple):
    """Precision and recall of a class as more and more of its detections are counted."""

    recall: NDArray[numpy.float64]
    precision: NDArray[numpy.float64]


def eleven_points(curve: Curve) -> float:
    """Return the mean, over recalls of 0, 0.1, ..., 1, of the best precision at that recall."""
    best = [curve.precision[curve.recall >= i / 10].max(initial=0) for i in range(11)]
    return float(numpy.mean(best))


def area(curve: Curve) -> float:
    """Return the area under the curve, its precision made to fall from left to right."""
    recall = numpy.concatenate([[0.0], curve.recall])
    return float(numpy.sum(numpy.diff(recall) * _envelope(curve.precision)))


def hundred_points(curve: Curve) -> float:
    """Return COCO's mean of the precision over recalls of 0, 0.01, ..., 1."""
    envelope = numpy.append(_envelope(curve.precision), 0.0)
    return float(envelope[numpy.searchsorted(curve.recall, _COCO_RECALLS)].mean())


def voc_curve(
    images: Sequence[VocImage], detections: Sequence[Detections], label: int
) -> Curve | None:
    """Return the curve of a class by the rule of VOC; None if the class has no counted object.

    A detection belongs to the object that it overlaps most. It is right if they overlap by half
    and no better detection had the object.

    Args:
        images: With the objects.
        detections: Of each image.
        label: The class.
    """
    return _curve(images, detections, label, VOC_IOU, voc=True)


def coco_precision(
    images: Sequence[VocImage], detections: Sequence[Detections], label: int
) -> float | None:
    """Return the mean over COCO's ten overlaps, as a fraction; None as in `voc_curve`.

    A detection takes the free object that it overlaps most, and a difficult one only if there is no
    other. Difficult objects are what COCO calls crowds: they may be detected several times, and
    their overlap is the part of the detection that is inside.
    """
    curves = [_curve(images, detections, label, iou, voc=False) for iou in COCO_IOUS]
    values = [hundred_points(curve) for curve in curves if curve is not None]
    return float(numpy.mean(values)) if values else None


def _curve(
    images: Sequence[VocImage],
    detections: Sequence[Detections],
    label: int,
    min_iou: float,
    *,
    voc: bool,
) -> Curve | None:
    scores, outcomes, num_objects = [], [], 0
    for image, found in zip(images, detections, strict=True):
        of_class = image.labels == label
        difficult = image.difficult[of_class].numpy()
        num_objects += int((~difficult).sum())
        chosen = (found.labels == label).nonzero().flatten()
        order = found.scores[chosen].argsort(descending=True, stable=True)
        chosen = chosen[order]
        boxes, objects = found.boxes[chosen].double(), image.boxes[of_class].double()
        overlaps = box_iou(boxes, objects)
        if not voc:
            inside = _part_inside(boxes, objects)
            overlaps = inside.where(image.difficult[of_class], overlaps)
        match = _match_voc if voc else _match_coco
        outcomes.append(match(overlaps.numpy(), difficult, min_iou))
        scores.append(found.scores[chosen].double().numpy())
    if num_objects == 0:
        return None
    ranking = numpy.argsort(-numpy.concatenate(scores), kind="stable")
    outcome = numpy.concatenate(outcomes)[ranking]
    right = numpy.cumsum(outcome == 1)
    wrong = numpy.cumsum(outcome == -1)
    return Curve(right / num_objects, right / numpy.maximum(right + wrong, _EPSILON))


def _part_inside(boxes: Tensor, objects: Tensor) -> Tensor:
    """Return which part of each box is inside of each object, (boxes, objects)."""
    low = torch.maximum(boxes[:, None, :2], objects[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], objects[None, :, 2:])
    common = (high - low).clamp(min=0).prod(dim=2)
    return common / box_area(boxes)[:, None].clamp(min=_EPSILON)


def _match_voc(
    overlaps: NDArray[numpy.float64], difficult: NDArray[numpy.bool_], min_iou: float
) -> NDArray[numpy.int8]:
    """Return 1 right, -1 wrong, 0 not counted for each detection of an image, best first."""
    outcome = numpy.full(len(overlaps), -1, dtype=numpy.int8)
    taken = numpy.zeros(len(difficult), dtype=bool)
    for index, row in enumerate(overlaps):
        if row.size == 0 or row.max() < min_iou:
            continue
        best = int(row.argmax())
        if difficult[best]:
            outcome[index] = 0
        elif not taken[best]:
            outcome[index], taken[best] = 1, True
    return outcome


def _match_coco(
    overlaps: NDArray[numpy.float64], difficult: NDArray[numpy.bool_], min_iou: float
) -> NDArray[numpy.int8]:
    outcome = numpy.full(len(overlaps), -1, dtype=numpy.int8)
    taken = numpy.zeros(len(difficult), dtype=bool)
    for index, row in enumerate(overlaps):
        free = (row >= min_iou) & ~taken
        candidates = free & ~difficult if (free & ~difficult).any() else free
        if not candidates.any():
            continue
        reversed_row = numpy.where(candidates, row, -1)[::-1]
        best = len(row) - 1 - int(reversed_row.argmax())  # of equal ones the last, as in cocoeval
        if difficult[best]:
            outcome[index] = 0
        else:
            outcome[index], taken[best] = 1, True
    return outcome


def _envelope(precision: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    """Return the largest precision at this recall or a higher one."""
    return numpy.maximum.accumulate(precision[::-1])[::-1]
