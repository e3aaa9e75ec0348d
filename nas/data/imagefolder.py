"""Your own images: DATA/train/<class>/* and DATA/test/<class>/* or DATA/val/<class>/*."""

import hashlib
import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from nas.data.decoding import (
    CORRUPT_ADVICE,
    MIN_SPREAD,
    DeepImageError,
    choose_range,
    read_image,
    spread,
)
from nas.data.fingerprint import digest_of
from nas.data.image_files import choose_files, list_files
from nas.data.image_sets import DatasetInfo, ImageSet
from nas.data.notices import say, say_files, say_frames, warn_blank, warn_narrow, warn_skipped
from nas.errors import DataError
from nas.runtime.memory import check_fits

# The constants of ImageNet, which every torchvision model is trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def load_imagefolder(
    root: Path,
    *,
    split: str,
    image_size: int | None,
    max_images: int | None,
    seed: int,
    skip_corrupt: bool = False,
    value_range: int | None = None,
) -> ImageSet:
    """Decode one split, or `max_images` files of it, chosen before any is opened.

    The short side is resized to `image_size` (bilinear, antialiased) and the center is kept.

    Raises:
        DataError: The folder, or a file in it, cannot be used.
    """
    if image_size is None:
        raise DataError(
            "image_size: the images of an imagefolder may have any size, so a size is needed; give "
            "the side in pixels, such as 32"
        )
    files = list_files(root, split)
    paths, labels = choose_files(files, max_images, seed)
    check_fits(len(paths), 3, image_size)
    reader = _Reader(paths, image_size, value_range)
    readable, skipped = read_all(reader.read, labels, files.class_names, skip_corrupt)
    if reader.deep:
        reader.value_range = choose_range(list(reader.deep.values()))
        say(
            f"{len(reader.deep)} gray images have more than 8 bits; their values 0 to "
            f"{reader.value_range} become 0 to 255"
        )
        for index in sorted(reader.deep):
            reader.read(index)
    kept = readable.tolist()
    say_files(files)
    warn_skipped(split, skipped, len(kept))
    warn_blank([paths[i] for i in kept if reader.spreads[i] < MIN_SPREAD], len(kept))
    say_frames([paths[i] for i in kept if reader.has_more_frames[i]])
    warn_narrow([paths[i] for i in kept if reader.is_narrow[i]])
    info = DatasetInfo(
        "imagefolder",
        files.class_names,
        image_size,
        IMAGENET_MEAN,
        IMAGENET_STD,
        reader.value_range,
    )
    pixels = torch.from_numpy(reader.images)
    names = [str(path.relative_to(files.folder)) for path in paths]
    parts = ((labels[i].item(), names[i], reader.digests[i]) for i in kept)
    return ImageSet(
        info,
        pixels[readable] if skipped else pixels,
        labels[readable],
        skipped,
        class_digests(parts, len(files.class_names)),
    )


class _Reader:
    """Decodes files into one array; different files may be read by different threads."""

    def __init__(self, paths: Sequence[Path], image_size: int, value_range: int | None):
        num = len(paths)
        self.paths = paths
        self.image_size = image_size
        self.value_range = value_range
        self.images = np.empty((num, 3, image_size, image_size), np.uint8)
        self.digests = [""] * num
        self.spreads = [0] * num
        self.has_more_frames = [False] * num
        self.is_narrow = [False] * num
        self.deep: dict[int, DeepImageError] = {}
        """The images that need a value range, which is known when all have been read once."""

    def read(self, index: int) -> None:
        """Decode one file.

        Raises:
            DataError: It cannot be decoded.
        """
        path = self.paths[index]
        try:
            content = path.read_bytes()
        except OSError as cause:
            reason = f"cannot be read as an image ({cause.strerror})"
            raise DataError(f"{path}: {reason}{CORRUPT_ADVICE}") from cause
        self.digests[index] = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        try:
            image, self.has_more_frames[index] = read_image(path, content, self.value_range)
        except DeepImageError as error:
            self.deep[index] = error
            return
        short, long = sorted(image.size)
        self.is_narrow[index] = long > 2 * short
        try:
            image = resize_and_crop(image, self.image_size)
        except DataError as cause:
            raise DataError(f"{path}: {cause}") from cause
        self.spreads[index] = spread(image)
        self.images[index] = np.asarray(image).transpose(2, 0, 1)


def class_digests(
    parts: Iterable[tuple[int | float, str, str]], num_classes: int
) -> tuple[str, ...]:
    """Return a digest of the files of each class.

    Args:
        parts: Label, name and a hash or size of each file.
        num_classes: The labels are 0 to num_classes - 1.
    """
    by_class = defaultdict(list)
    for label, name, content in parts:
        by_class[label].append((name, content))
    return tuple(digest_of(by_class[label]) for label in range(num_classes))


def read_all(
    read: Callable[[int], None], labels: Tensor, class_names: Sequence[str], skip_corrupt: bool
) -> tuple[Tensor, tuple[str, ...]]:
    """Read every image of a split once, in threads (PIL releases the interpreter lock).

    Args:
        read: Called with each index; raises DataError if the file is damaged.
        labels: int64 (N,).
        class_names: For messages.
        skip_corrupt: Whether damaged files are left out instead of being an error.

    Returns:
        The indices of what can be read, int64, and what was wrong with the others.

    Raises:
        DataError: A file is damaged, or all files of a class are.
    """

    def problem_with(index: int) -> str | None:
        try:
            read(index)
        except DataError as error:
            return str(error)
        return None  # it can be read

    # Pillow warns about damaged metadata; filters belong to all threads.
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as threads:
        warnings.simplefilter("ignore", UserWarning)
        results = threads.map(problem_with, range(len(labels)))
        # Shown after a second, on a terminal only.
        progress = tqdm(results, "decoding", len(labels), unit="image", delay=1.0, disable=None)
        problems = list(progress)
    skipped = tuple(problem for problem in problems if problem is not None)
    if skipped and not skip_corrupt:
        more = f" ({len(skipped)} of {len(labels)} images are damaged)" if len(skipped) > 1 else ""
        raise DataError(f"{skipped[0]}{more}")
    skipped = tuple(problem.removesuffix(CORRUPT_ADVICE) for problem in skipped)
    readable = torch.tensor([problem is None for problem in problems]).nonzero().flatten()
    left = labels[readable].bincount(minlength=len(class_names))
    if (left == 0).any():
        name = class_names[int(left.argmin())]
        raise DataError(
            f"skip_corrupt: no image of the class {name!r} can be read ({skipped[0]}); repair "
            "some or remove the class from every split"
        )
    return readable, skipped


def resize_and_crop(image: Image.Image, size: int) -> Image.Image:
    """Resize the short side to `size` and keep the center.

    Raises:
        DataError: The image is too long and thin.
    """
    width, height = image.size
    if (width, height) == (size, size):
        return image
    # As torchvision's Resize and CenterCrop round.
    short = min(width, height)
    width, height = size * width // short, size * height // short
    if Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS:
        raise DataError(
            f"is {image.size[0]} x {image.size[1]}, too long and thin to be resized to "
            f"{size} x {size}; remove the file"
        )
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.crop((left, top, left + size, top + size))
