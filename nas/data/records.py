"""What a data set is and what of it lies in memory.

Shape legend: N images, C channels, H = W = image_size.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class DatasetInfo:
    """The facts of a data set that networks and transforms depend on, stated nowhere else."""

    name: str
    class_names: tuple[str, ...]
    """The class of label 0, of label 1, ..."""
    image_size: int
    """Height and width, pixels."""
    mean: tuple[float, ...]
    """Of each channel over the training images, pixel values in [0, 1]."""
    std: tuple[float, ...]
    """Of each channel, likewise."""

    @property
    def num_classes(self) -> int:
        """The labels are 0 to num_classes - 1."""
        return len(self.class_names)

    @property
    def channels(self) -> int:
        """C; 3 for colour images."""
        return len(self.mean)

    def at_size(self, image_size: int) -> "DatasetInfo":
        """Return the same facts for images of another size."""
        return replace(self, image_size=image_size)


@dataclass(frozen=True)
class ImageSet:
    """The decoded images of one split, raw: not normalised, not augmented."""

    info: DatasetInfo
    images: Tensor
    """uint8 (N, C, H, W)."""
    labels: Tensor
    """int64 (N,)."""
    skipped: tuple[str, ...] = ()
    """What was wrong with each file that was left out, its name first."""

    def __post_init__(self) -> None:
        size = self.info.image_size
        expected = (len(self.labels), self.info.channels, size, size)
        assert self.images.shape == expected, f"{tuple(self.images.shape)} is not {expected}"
        assert self.images.dtype == torch.uint8 and self.labels.dtype == torch.int64

    def __len__(self) -> int:
        return len(self.labels)
