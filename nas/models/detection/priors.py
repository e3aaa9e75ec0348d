"""The prior boxes of SSDLite320: what each location of a feature map proposes.

Deviation: torchvision's `DefaultBoxGenerator` spaces the sizes evenly and derives each step from
the size of its map. The authors list both, their step at the 3 x 3 map is 120 and not 320 / 3, and
they clip the boxes to the image; hence our own generator.

Source: SSD (arXiv:1512.02325), Sec. 2.2; the SSDLite configuration of the authors of MobileNeXt.
"""

import math

import torch
from torch import Tensor

IMAGE_SIZE = 320
"""Height and width of the images, pixels."""
MAP_SIZES = (20, 10, 5, 3, 2, 1)
STRIDES = (16, 32, 64, 120, 160, 320)
MIN_SIZES = (45, 90, 135, 180, 225, 270)
MAX_SIZES = (120, 180, 220, 260, 300, 320)
RATIOS = (2, 3)


def num_priors_per_cell(ratios: tuple[int, ...]) -> int:
    """Return 2 squares and 2 rectangles for each ratio."""
    return 2 + 2 * len(ratios)


def make_priors(last_ratios: tuple[int, ...] = RATIOS) -> Tensor:
    """Return the priors as (center x, center y, width, height), in units of the image.

    A location has a square of the smallest size s, a square of sqrt(s * largest size), and for each
    ratio r a box of (s * sqrt(r), s / sqrt(r)) and its transpose. All are clipped to [0, 1].

    Args:
        last_ratios: Ratios at the last level; (2,) is the configuration for COCO.

    Returns:
        (priors, 4), float64, ordered by level, row, column and aspect: 3,234 priors by default.
    """
    boxes = []
    levels = zip(MAP_SIZES, STRIDES, MIN_SIZES, MAX_SIZES, strict=True)
    for level, (size, stride, smallest, largest) in enumerate(levels):
        ratios = last_ratios if level == len(MAP_SIZES) - 1 else RATIOS
        shapes = [(smallest, smallest), (math.sqrt(smallest * largest),) * 2]
        for ratio in ratios:
            long, short = smallest * math.sqrt(ratio), smallest / math.sqrt(ratio)
            shapes += [(long, short), (short, long)]
        for row in range(size):
            for column in range(size):
                center = ((column + 0.5) * stride, (row + 0.5) * stride)
                boxes += [(*center, *shape) for shape in shapes]
    return (torch.tensor(boxes, dtype=torch.float64) / IMAGE_SIZE).clamp(0, 1)
