"""Seeded, class-stratified choices among labeled images.

Deviation: DARTS takes the first and the last 25,000 training images in file order; ours are drawn
from a seed with every class shared out evenly, because file order is an accident of the archive
and a folder of images would put whole classes on one side.
"""

import math

import torch
from torch import Tensor

from nas.errors import DataError


class SubsetError(DataError):
    """A part of a data set cannot have the size that was asked for."""

    def __init__(self, found: int, reason: str, advice: str):
        """Keep the reason, for a program that asks under another name than `max_images`."""
        super().__init__(f"max_images: found {found}, {reason}; {advice}")
        self.reason = reason


def stratified_split(labels: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Divide images in two so that both parts have the classes in the same proportions.

    Args:
        labels: int64 (N,).
        fraction: Share of the first part, in (0, 1).
        seed: Seed of the permutation.

    Returns:
        The indices of the first and of the second part, int64, each in random order. Together
        they hold every index once. The first has fraction * N of them to the nearest whole
        number, and of each class with n images fraction * n to within less than 1.

    Raises:
        DataError: `fraction` is out of range, or leaves one of the parts empty.
    """
    if not 0.0 < fraction < 1.0:
        raise DataError(f"split fraction: found {fraction}, allowed are values between 0 and 1")
    total = math.floor(fraction * len(labels) + 0.5)
    if not 0 < total < len(labels):
        raise DataError(
            f"split fraction: {fraction} of {len(labels)} images leaves one part empty; "
            "use more images or a fraction nearer to 0.5"
        )
    quotas = _share_out(labels.bincount(), total, minimum=0)
    return _take(labels, quotas, seed)


def stratified_subset(labels: Tensor, num: int, seed: int) -> Tensor:
    """Choose some images so that the classes keep their proportions, each at least one image.

    Args:
        labels: int64 (N,).
        num: How many to choose, from the number of classes to N.
        seed: Seed of the choice.

    Returns:
        int64 (num,), ascending.

    Raises:
        SubsetError: `num` is out of range.
    """
    counts = labels.bincount()
    num_classes = int((counts > 0).sum())
    if num > len(labels):
        raise SubsetError(
            num, f"but there are {len(labels)} images", "lower it, or leave it out to use all"
        )
    if num < num_classes:
        raise SubsetError(
            num,
            f"which is fewer than one image for each of the {num_classes} classes",
            f"allowed are {num_classes} to {len(labels)}",
        )
    chosen, _ = _take(labels, _share_out(counts, num, minimum=1), seed)
    return chosen.sort().values


def _share_out(counts: Tensor, total: int, *, minimum: int) -> Tensor:
    """Give each class its floor of total * n / N, then the rest by largest remainder.

    Classes that have images get `minimum` first, where `minimum` is 1 and their floor is 0.
    """
    exact = counts.double() * total / counts.sum()
    quotas = exact.floor().long().clamp(min=minimum).minimum(counts)
    # A minimum lifts small classes above their share: they are last in line for the rest.
    remainders = exact - quotas
    while (missing := total - int(quotas.sum())) != 0:
        step = 1 if missing > 0 else -1
        open_to = (quotas < counts) if step > 0 else (quotas > minimum)
        order = (remainders * step).masked_fill(~open_to, -torch.inf)
        best = order.argsort(descending=True, stable=True)[: abs(missing)]
        best = best[open_to[best]]
        quotas[best] += step
        remainders[best] -= step
    return quotas


def _take(labels: Tensor, quotas: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Permute all indices, then take the first of each class up to its quota."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    permuted = labels[order]
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label, quota in enumerate(quotas.tolist()):
        chosen[(permuted == label).nonzero().flatten()[:quota]] = True
    return order[chosen], order[~chosen]
