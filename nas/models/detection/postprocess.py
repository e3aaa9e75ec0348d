"""From logits and offsets to detections: softmax, decoding, suppression of duplicates.

Source: SSD (arXiv:1512.02325), Sec. 3; the thresholds are those of the authors' SSDLite code.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_convert

from nas.models.detection.multibox import BOX_CODER

MIN_SCORE = 0.01
NMS_IOU = 0.45
MAX_DETECTIONS = 100


class Detections(NamedTuple):
    """What a detector says about one image, best first."""

    boxes: Tensor
    """(D, 4), (x1, y1, x2, y2) in units of the image's width and height, in [0, 1]."""
    scores: Tensor
    """(D,), in [0, 1]."""
    labels: Tensor
    """(D,), int64, counted from 0 without the background."""


def detections_of(
    logits: Tensor,
    offsets: Tensor,
    priors: Tensor,
    *,
    min_score: float = MIN_SCORE,
    nms_iou: float = NMS_IOU,
    max_detections: int = MAX_DETECTIONS,
) -> list[Detections]:
    """Turn the raw outputs of a batch into detections, image by image.

    Args:
        logits: (N, P, classes + 1).
        offsets: (N, P, 4).
        priors: (P, 4) as (center x, center y, width, height).
        min_score: Lower probabilities are dropped.
        nms_iou: Of two boxes of a class that overlap more, the better one stays.
        max_detections: Of one image.
    """
    scores = logits.float().softmax(dim=-1)[..., 1:]
    corners = box_convert(priors, "cxcywh", "xyxy").float()
    results = []
    for image_scores, image_offsets in zip(scores, offsets.float(), strict=True):
        boxes = BOX_CODER.decode_single(image_offsets, corners).clamp(0, 1)
        prior, label = torch.nonzero(image_scores > min_score, as_tuple=True)
        found, candidates = image_scores[prior, label], boxes[prior]
        kept = batched_nms(candidates, found, label, nms_iou)[:max_detections]
        results.append(Detections(candidates[kept], found[kept], label[kept]))
    return results
