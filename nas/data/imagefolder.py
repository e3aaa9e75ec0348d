"""Images of one's own: ROOT/train/<class>/* and ROOT/test/<class>/* or ROOT/val/<class>/*."""

import os
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from nas.data.memory import check_fits
from nas.data.records import DatasetInfo, ImageSet
from nas.data.splits import stratified_subset
from nas.errors import DataError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
"""Files with other names are ignored."""

# The constants of ImageNet, which every torchvision model is trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_LAYOUT = "expected ROOT/train/<class>/*.jpg and ROOT/test/<class>/*.jpg (or ROOT/val)"
_DECODE_ERRORS = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, struct.error),  # as PIL's readers do
    Image.DecompressionBombError,
)


def load_imagefolder(
    root: Path, *, split: str, image_size: int | None, max_images: int | None, seed: int
) -> ImageSet:
    """Decode one split, or `max_images` files of it, chosen before any is opened.

    The short side is brought to `image_size` (bilinear, antialiased) and the centre is kept.
    """
    if image_size is None:
        raise DataError(
            "--dataset imagefolder: the images may have any size, so --image_size is needed; "
            "give the side in pixels, such as --image_size 32"
        )
    class_names, paths, labels = list_files(root, split=split, max_images=max_images, seed=seed)
    check_fits(len(paths), 3, image_size)
    info = DatasetInfo("imagefolder", class_names, image_size, IMAGENET_MEAN, IMAGENET_STD)
    return ImageSet(info, _decode_all(paths, image_size), labels)


def list_files(
    root: Path, *, split: str, max_images: int | None, seed: int
) -> tuple[tuple[str, ...], list[Path], Tensor]:
    """List the images of one split, or `max_images` of them; no image is opened.

    Returns:
        The names of the classes in order, the files, and their labels, int64 (N,).

    Raises:
        DataError: A folder is missing, empty or unreadable, or the classes of the splits differ.
    """
    class_names, folder = _find_split(root, split)
    files = [_list_images(folder / name) for name in class_names]
    labels = torch.tensor([label for label, found in enumerate(files) for _ in found])
    paths = [path for found in files for path in found]
    if max_images is not None:
        chosen = stratified_subset(labels, max_images, seed)
        labels, paths = labels[chosen], [paths[index] for index in chosen.tolist()]
    return class_names, paths, labels


def read_image(path: Path) -> Image.Image:
    """Decode one image to RGB.

    Raises:
        DataError: It is not an image, or a damaged one.
    """
    try:
        with Image.open(path) as image:
            return _to_rgb(image)
    except _DECODE_ERRORS as cause:
        raise DataError(
            f"{path}: cannot be read as an image ({cause}); repair or remove the file"
        ) from cause


def _find_split(root: Path, split: str) -> tuple[tuple[str, ...], Path]:
    """Return the classes, in order of name, and the folder of the split.

    Of the other split only the names of folders are looked at, never a file.
    """
    if not _is_folder(root):
        raise DataError(f"--data: there is no folder {root}; {_LAYOUT}")
    train = root / "train"
    if not _is_folder(train):
        raise DataError(f"{root}: has no folder `train`; {_LAYOUT}")
    class_names = _list_classes(train)
    test = next((root / name for name in ("test", "val") if _is_folder(root / name)), None)
    if test is not None:
        test_names = _list_classes(test)
        differences = [
            *(f"{name!r} only in train" for name in class_names if name not in test_names),
            *(f"{name!r} only in {test.name}" for name in test_names if name not in class_names),
        ]
        if differences:
            raise DataError(
                f"{root}: the classes of train and {test.name} differ: {', '.join(differences)}; "
                "both need a folder of the same name for each class"
            )
    if split == "train":
        return class_names, train
    if test is None:
        raise DataError(f"{root}: has no folder `test` or `val`; {_LAYOUT}")
    return class_names, test


def _list_classes(folder: Path) -> tuple[str, ...]:
    names = sorted(path.name for path in _list(folder) if _is_folder(path))
    names = [name for name in names if not name.startswith(".")]
    if not names:
        raise DataError(f"{folder}: holds no class folders; {_LAYOUT}")
    return tuple(names)


def _list_images(folder: Path) -> list[Path]:
    found = sorted(
        path
        for path in _list(folder)
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
    )
    if not found:
        raise DataError(
            f"{folder}: this class has no images; put files ending in {' '.join(EXTENSIONS)} "
            "there or remove the folder from every split"
        )
    return found


def _list(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as cause:
        raise DataError(f"{folder}: this folder cannot be read ({cause.strerror})") from cause


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as cause:  # e.g. a folder above it that may not be entered
        raise DataError(f"{path}: cannot be looked at ({cause.strerror})") from cause


def _decode_all(paths: Sequence[Path], size: int) -> Tensor:
    """Decode in threads (PIL lets go of the interpreter lock); the order is that of `paths`."""
    images = np.empty((len(paths), 3, size, size), np.uint8)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        decoded = threads.map(lambda path: _decode(path, size), paths)
        # Shown after a second, on a terminal only.
        progress = tqdm(decoded, "decoding", len(paths), unit="image", delay=1.0, disable=None)
        for index, image in enumerate(progress):
            images[index] = image
    return torch.from_numpy(images)


def _decode(path: Path, size: int) -> NDArray[np.uint8]:
    """Return one image as uint8 (3, size, size)."""
    image = read_image(path)
    width, height = image.size
    if (width, height) != (size, size):
        # As torchvision's Resize and CenterCrop round.
        short = min(width, height)
        width, height = size * width // short, size * height // short
        if width * height > Image.MAX_IMAGE_PIXELS:
            raise DataError(
                f"{path}: is {image.size[0]} x {image.size[1]}, too long and thin to be brought to "
                f"{size} x {size}; remove the file"
            )
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        left, top = round((width - size) / 2), round((height - size) / 2)
        image = image.crop((left, top, left + size, top + size))
    return np.asarray(image).transpose(2, 0, 1)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert from any mode; what is transparent keeps its stored colour."""
    if image.mode.startswith("I"):  # 16 bits a pixel, which PIL would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # PIL warns about the direct way
    return image.convert("RGB")
