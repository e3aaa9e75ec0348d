"""Exact measurement: every image counts once."""

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nas.distributed.ranks import ALONE, Ranks
from nas.records import Evaluation
from nas.runtime.compute import Batch, Compute
from nas.runtime.loop import explained_worker_failures

MAX_CONFUSION_CLASSES = 100
"""The confusion matrix is kept up to this number of classes."""


@torch.no_grad()
@explained_worker_failures()
def evaluate(
    net: nn.Module,
    loader: Iterable[Batch],
    num_classes: int,
    *,
    compute: Compute | None = None,
    on_batch: Callable[[], None] = lambda: None,
    ranks: Ranks = ALONE,
) -> Evaluation:
    """Measure a model on all images of a loader.

    With several ranks each measures its share of the images, and all return the same result: the
    counts are added up, and no image is padded or counted twice.

    Args:
        net: Called in eval mode as `net(images)`; returns logits (N, num_classes). Its mode is
            restored.
        loader: One pass over the images, or over this rank's share, on the device of `net`; batches
            may differ in size and may be empty.
        num_classes: Number of logits.
        compute: The arithmetic, on the device of `net`; None is fp32 on the CPU.
        on_batch: Called after each batch.
        ranks: The processes that measure together.

    Raises:
        DataError: A process that decodes images was killed.
    """
    was_training = net.training
    net.eval()
    compute = compute or Compute(torch.device("cpu"))
    device = compute.device
    loss = torch.zeros((), dtype=torch.float64, device=device)
    in_top5 = torch.zeros((), dtype=torch.int64, device=device)
    # One count per (true, predicted) pair.
    pairs = torch.zeros(num_classes * num_classes, dtype=torch.int64, device=device)
    try:
        for images, targets in loader:
            if len(targets):
                with compute.autocast():
                    logits = net(images)
                logits = logits.float()
                loss += cross_entropy(logits, targets, reduction="sum").double()
                best = logits.topk(min(5, num_classes), dim=1).indices
                in_top5 += (best == targets[:, None]).any(dim=1).sum()
                seen = targets * num_classes + best[:, 0]
                # Not bincount, which waits for the GPU.
                pairs.scatter_add_(0, seen, torch.ones_like(seen))
            on_batch()
    finally:
        net.train(was_training)
    for count in (loss, in_top5, pairs):
        ranks.sum_(count)
    confusion = pairs.view(num_classes, num_classes).cpu()
    correct, per_class = confusion.diagonal(), confusion.sum(dim=1)
    num_images = int(per_class.sum())
    return Evaluation(
        num_images=num_images,
        loss=loss.item() / num_images,
        top1=100 * int(correct.sum()) / num_images,
        top5=100 * int(in_top5) / num_images,
        per_class_accuracy=tuple(
            100 * hits / num if num else None
            for hits, num in zip(correct.tolist(), per_class.tolist(), strict=True)
        ),
        confusion=(
            tuple(map(tuple, confusion.tolist())) if num_classes <= MAX_CONFUSION_CLASSES else None
        ),
    )
