"""ImageNet: too large for memory, so worker processes decode its images as they are used.

Layout: DATA/train/<class>/*.JPEG and DATA/val/<class>/*.JPEG, that of torchvision's ImageFolder.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torchvision.transforms import InterpolationMode, v2

from nas.data.decoding import MIN_SPREAD, DeepImageError, read_image, spread
from nas.data.image_files import choose_files, list_files
from nas.data.image_sets import DatasetInfo, ImageFiles
from nas.data.imagefolder import IMAGENET_MEAN, IMAGENET_STD, class_digests, read_all
from nas.data.notices import say_files, warn_blank, warn_skipped
from nas.errors import DataError

DEFAULT_SIZE = 224
CROP_RATIO = 0.875
"""Evaluation: the short side is resized to size / 0.875 (256 for 224), the center is kept."""


_NUM_LOOKED_AT = 32  # images that are decoded once to see whether they show anything
_log = logging.getLogger(__name__)


def load_imagenet(
    root: Path,
    *,
    split: str,
    image_size: int | None,
    max_images: int | None,
    seed: int,
    skip_corrupt: bool = False,
) -> ImageFiles:
    """List one split; `image_size` is that of the crops, pixels, 224 when None.

    With `skip_corrupt` every file is read once here, and the damaged ones are left out. Without it
    a few are opened to see that they are not blank, and a damaged one is an error when its turn
    comes.

    Raises:
        DataError: A folder is missing, empty or unreadable, or the classes of the splits differ.
    """
    files = list_files(root, split)
    paths, labels = choose_files(files, max_images, seed)
    info = DatasetInfo(
        "imagenet", files.class_names, image_size or DEFAULT_SIZE, IMAGENET_MEAN, IMAGENET_STD
    )
    skipped: tuple[str, ...] = ()
    if skip_corrupt:
        readable, skipped = read_all(
            lambda index: _read(paths[index]), labels, files.class_names, skip_corrupt
        )
        warn_skipped(split, skipped, len(readable))
        paths = [paths[index] for index in readable.tolist()]
        labels = labels[readable]
    _warn_if_blank(paths)
    say_files(files)
    with ThreadPoolExecutor() as threads:  # a network drive answers many questions at a time
        sizes = list(threads.map(_size_of, paths))
    names = [str(path.relative_to(files.folder)) for path in paths]
    digests = class_digests(zip(labels.tolist(), names, sizes, strict=True), len(files.class_names))
    return ImageFiles(info, paths, labels, skipped, digests)


def _read(path: Path) -> None:
    read_image(path)


def _size_of(path: Path) -> str:
    try:
        return str(path.stat().st_size)
    except OSError:  # it is an error when its turn comes
        return ""


def _warn_if_blank(paths: Sequence[Path]) -> None:
    blank, num_seen = [], 0
    for path in paths[:: max(1, len(paths) // _NUM_LOOKED_AT)]:
        try:
            image = read_image(path).image
        except DeepImageError:
            raise
        except DataError as problem:  # it is an error when its turn comes
            _log.debug("%s", problem)
            continue
        num_seen += 1
        if spread(image) < MIN_SPREAD:
            blank.append(path)
    warn_blank(blank, num_seen)


def train_transform(
    info: DatasetInfo, color_jitter: float = 0.0, *, horizontal_flip: bool = True
) -> v2.Transform:
    """Build the training transform: random resized crop, flip, color jitter, normalization.

    Bilinear, antialiased; areas of 8 to 100 %, ratios of 3/4 to 4/3.

    Args:
        info: Gives image_size, mean and std.
        color_jitter: Range of brightness, contrast and saturation; the hue has half of it. DARTS:
            0.4, MobileNeXt: 0.
        horizontal_flip: Whether half of the images are mirrored left to right.

    Source: DARTS (arXiv:1806.09055), Sec. 3.3, and its code; Inception crops (arXiv:1409.4842).
    """
    jitter = [color_jitter] * 3 + [color_jitter / 2]
    return v2.Compose(
        [
            v2.RandomResizedCrop(info.image_size, interpolation=InterpolationMode.BILINEAR),
            *([v2.RandomHorizontalFlip()] if horizontal_flip else []),
            *([v2.ColorJitter(*jitter)] if color_jitter else []),
            *_to_tensor(info),
        ]
    )


def eval_transform(info: DatasetInfo) -> v2.Transform:
    """Build the evaluation transform: short side to size / 0.875, center crop, normalization."""
    short_side = round(info.image_size / CROP_RATIO)
    return v2.Compose(
        [
            v2.Resize(short_side, interpolation=InterpolationMode.BILINEAR),
            v2.CenterCrop(info.image_size),
            *_to_tensor(info),
        ]
    )


def _to_tensor(info: DatasetInfo) -> list[v2.Transform]:
    return [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(info.mean, info.std),
        v2.ToPureTensor(),
    ]


def format_transform(color_jitter: float, *, horizontal_flip: bool) -> str:
    """Say what `train_transform` does."""
    steps = ["random resized crops", "horizontal flips" if horizontal_flip else "no flips"]
    steps += [f"color jitter {color_jitter:g}"] if color_jitter else []
    return ", ".join(steps)
