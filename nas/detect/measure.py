"""Measure a detector on all images of a split, exactly, on any number of processes."""

from collections.abc import Callable, Iterable, Sequence

import numpy
import torch
from torch import Tensor, nn

from nas.data.voc import VocImage, VocSet
from nas.detect.average_precision import (
    Curve,
    area,
    coco_precision,
    eleven_points,
    voc_curve,
)
from nas.detection_record import NUM_RECALLS, DetectionEvaluation
from nas.distributed.ranks import ALONE, Ranks
from nas.models.detection import Detections
from nas.runtime.compute import Batch, Compute
from nas.runtime.loop import explained_worker_failures


@torch.no_grad()
@explained_worker_failures()
def detect(
    net: nn.Module,
    loader: Iterable[Batch],
    *,
    compute: Compute,
    on_batch: Callable[[], None] = lambda: None,
    ranks: Ranks = ALONE,
) -> list[Detections]:
    """Return the detections of each image, in order, on the CPU and on all ranks.

    Args:
        net: A detector, which returns detections in eval mode; its mode is restored.
        loader: One pass over this rank's share of the images, with their indices.
        compute: The arithmetic.
        on_batch: Called after each batch.
        ranks: The processes that measure together.
    """
    was_training = net.training
    net.eval()
    own: dict[int, tuple[Tensor, ...]] = {}
    try:
        for images, indices in loader:
            if len(indices):
                with compute.autocast():
                    results = net(images)
                for index, found in zip(indices.tolist(), results, strict=True):
                    own[index] = tuple(tensor.cpu() for tensor in found)
            on_batch()
    finally:
        net.train(was_training)
    together: dict[int, tuple[Tensor, ...]] = {}
    for part in ranks.gather(own):
        together |= part
    return [Detections(*together[index]) for index in sorted(together)]


def measure(
    images: VocSet, detections: Sequence[Detections], split: str = "test"
) -> DetectionEvaluation:
    """Compute the average precisions of all classes."""
    labels = range(len(images.classes))
    curves = [voc_curve(images.images, detections, label) for label in labels]
    coco = [coco_precision(images.images, detections, label) for label in labels]
    return DetectionEvaluation(
        num_images=len(images),
        classes=images.classes,
        num_objects=tuple(_num_counted(images.images, label) for label in labels),
        ap_11=tuple(None if curve is None else 100 * eleven_points(curve) for curve in curves),
        ap_area=tuple(None if curve is None else 100 * area(curve) for curve in curves),
        ap_coco=tuple(None if value is None else 100 * value for value in coco),
        curves=tuple(None if curve is None else _best_precision(curve) for curve in curves),
        split=split,
    )


def _num_counted(images: Sequence[VocImage], label: int) -> int:
    return sum(int(((item.labels == label) & ~item.difficult).sum()) for item in images)


def _best_precision(curve: Curve) -> tuple[float, ...]:
    recalls = numpy.arange(NUM_RECALLS) / (NUM_RECALLS - 1)
    return tuple(
        float(curve.precision[curve.recall >= recall].max(initial=0)) for recall in recalls
    )
