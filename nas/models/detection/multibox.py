"""What SSD learns from: priors matched with objects, and the loss on them.

Matching and box coding are torchvision's. Boxes are (x1, y1, x2, y2) in units of the image; P is
the number of priors. A class of 0 is the background.

Source: SSD (arXiv:1512.02325), Sec. 2.2.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder, SSDMatcher
from torchvision.ops import box_convert, box_iou

VARIANCES = (0.1, 0.2)
"""Of the offsets of centers and of the logarithms of sizes."""
MIN_IOU = 0.5
"""A prior with this overlap is matched; the best prior of each object is matched in any case."""
NEGATIVES = 3
"""Background priors in the loss for each matched one."""
LARGEST_LOG = 10.0
"""Sizes are not decoded beyond exp of this."""

BOX_CODER = BoxCoder(
    (1 / VARIANCES[0], 1 / VARIANCES[0], 1 / VARIANCES[1], 1 / VARIANCES[1]), LARGEST_LOG
)


def match(boxes: Tensor, labels: Tensor, priors: Tensor) -> Tensor:
    """Tell each prior what it should answer for an image.

    Args:
        boxes: (objects, 4), which may be empty.
        labels: (objects,), int64, counted from 0.
        priors: (P, 4) as (center x, center y, width, height).

    Returns:
        (P, 5), float32: the class, where 0 is the background and label 0 is 1, and four offsets,
        which are zero for the background.
    """
    targets = torch.zeros(len(priors), 5)
    if len(boxes) == 0:
        return targets
    corners = box_convert(priors, "cxcywh", "xyxy").float()
    chosen = SSDMatcher(MIN_IOU)(box_iou(boxes, corners))
    positive = chosen >= 0
    targets[positive, 0] = (labels[chosen[positive]] + 1).float()
    matched = boxes[chosen[positive]].float()
    targets[positive, 1:] = BOX_CODER.encode_single(matched, corners[positive])
    return targets


def multibox_loss(
    logits: Tensor, offsets: Tensor, targets: Tensor, negatives: int = NEGATIVES
) -> tuple[Tensor, Tensor]:
    """Return the sums of the class loss and of the box loss; divide by the number of matches.

    class: cross entropy over the matched priors and, in each image, over the `negatives` times as
    many background priors whose cross entropy is largest. box: smooth L1 over the matched priors.

    Args:
        logits: (N, P, classes + 1).
        offsets: (N, P, 4).
        targets: (N, P, 5), see `match`.
        negatives: Background priors for each matched one.
    """
    classes = targets[..., 0].long()
    positive = classes > 0
    losses = F.cross_entropy(logits.float().transpose(1, 2), classes, reduction="none")
    hardness = losses.detach().masked_fill(positive, -1)
    ranks = hardness.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    wanted = negatives * positive.sum(dim=1, keepdim=True)
    counted = positive | ((ranks < wanted) & ~positive)
    # Sums over all priors with zeros, not `losses[counted]`, whose size the host would wait for.
    boxes = F.smooth_l1_loss(offsets.float(), targets[..., 1:], reduction="none")
    box_loss = boxes.masked_fill(~positive[..., None], 0).sum()
    return losses.masked_fill(~counted, 0).sum(), box_loss


def num_matched(targets: Tensor) -> Tensor:
    """Return the number of matched priors of a batch, a scalar."""
    return (targets[..., 0] > 0).sum()
