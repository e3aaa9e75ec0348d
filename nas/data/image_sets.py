"""What a dataset is, and the images of one split, in memory or as files.

Shape legend: N images, C channels, H = W = image_size.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from nas.data.fingerprint import ClassImages, Fingerprint


@dataclass(frozen=True)
class DatasetInfo:
    """The facts of a dataset that networks and transforms depend on, stated nowhere else."""

    name: str
    class_names: tuple[str, ...]
    """The class of label 0, of label 1, ..."""
    image_size: int
    """Height and width, pixels."""
    mean: tuple[float, ...]
    """Mean of each channel over the training images, pixel values in [0, 1]."""
    std: tuple[float, ...]
    """Standard deviation of each channel over the training images."""
    value_range: int | None = None
    """The value that is white in gray images of more than 8 bits; None: there are none."""

    @property
    def num_classes(self) -> int:
        """The labels are 0 to num_classes - 1."""
        return len(self.class_names)

    @property
    def channels(self) -> int:
        """C; 3 for color images."""
        return len(self.mean)

    def at_size(self, image_size: int) -> "DatasetInfo":
        """Return the same facts for images of another size."""
        return replace(self, image_size=image_size)


@dataclass(frozen=True)
class ImageSet:
    """The decoded images of one split, raw: not normalized, not augmented."""

    info: DatasetInfo
    images: Tensor
    """uint8 (N, C, H, W)."""
    labels: Tensor
    """int64 (N,)."""
    skipped: tuple[str, ...] = ()
    """What was wrong with each file that was left out, its name first."""
    digests: tuple[str, ...] | None = None
    """What tells the files of each class from others; None where the dataset never changes."""

    def __post_init__(self) -> None:
        size = self.info.image_size
        expected = (len(self.labels), self.info.channels, size, size)
        assert self.images.shape == expected, f"{tuple(self.images.shape)} is not {expected}"
        assert self.images.dtype == torch.uint8 and self.labels.dtype == torch.int64

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> dict[str, ClassImages]:
        """The number of images and the digest of each class, for a fingerprint."""
        return _classes(self.info, self.labels, self.digests)


@dataclass(frozen=True)
class ImageFiles:
    """The images of one split as files."""

    info: DatasetInfo
    paths: Sequence[Path]
    labels: Tensor
    """int64 (N,)."""
    skipped: tuple[str, ...] = ()
    """What was wrong with each file that was left out, its name first."""
    digests: tuple[str, ...] | None = None
    """What tells the files of each class from others."""

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def classes(self) -> dict[str, ClassImages]:
        """The number of images and the digest of each class, for a fingerprint."""
        return _classes(self.info, self.labels, self.digests)


Images = ImageSet | ImageFiles


def fingerprint_of(**splits: Images) -> Fingerprint:
    """Return what a run sees of a dataset, for data.json.

    Args:
        **splits: "train" and perhaps "test", of one dataset.
    """
    info = next(iter(splits.values())).info
    classes = {name: images.classes for name, images in splits.items()}
    return Fingerprint(info.name, info.image_size, info.value_range, classes)


def _classes(
    info: DatasetInfo, labels: Tensor, digests: tuple[str, ...] | None
) -> dict[str, ClassImages]:
    counts = labels.bincount(minlength=info.num_classes).tolist()
    digests = digests or ("",) * info.num_classes
    return {
        name: ClassImages(num, digest)
        for name, num, digest in zip(info.class_names, counts, digests, strict=True)
    }
