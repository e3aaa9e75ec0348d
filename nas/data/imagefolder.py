"""Images of one's own: ROOT/train/<class>/* and ROOT/test/<class>/* or ROOT/val/<class>/*."""

import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from nas.data.records import DatasetInfo, ImageSet
from nas.data.splits import stratified_subset
from nas.errors import DataError
from nas.runtime.memory import check_fits

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
"""Files with other names are ignored."""

# The constants of ImageNet, which every torchvision model is trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_LAYOUT = "expected ROOT/train/<class>/*.jpg and ROOT/test/<class>/*.jpg (or ROOT/val)"
_ADVICE = "; repair or remove the file, or leave damaged ones out with --skip_corrupt"
_DECODE_ERRORS = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, struct.error),  # as PIL's readers do
    Image.DecompressionBombError,
)


def load_imagefolder(
    root: Path,
    *,
    split: str,
    image_size: int | None,
    max_images: int | None,
    seed: int,
    skip_corrupt: bool = False,
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
    images = np.empty((len(paths), 3, image_size, image_size), np.uint8)

    def decode(index: int) -> None:
        images[index] = _decode(paths[index], image_size)

    readable, skipped = read_all(decode, labels, class_names, skip_corrupt)
    pixels = torch.from_numpy(images)
    return ImageSet(info, pixels[readable] if skipped else pixels, labels[readable], skipped)


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
            return to_rgb(image)
    except _DECODE_ERRORS as cause:
        raise DataError(f"{path}: cannot be read as an image ({cause}){_ADVICE}") from cause


def read_all(
    read: Callable[[int], None], labels: Tensor, class_names: Sequence[str], skip_corrupt: bool
) -> tuple[Tensor, tuple[str, ...]]:
    """Read every image of a split once, in threads (PIL lets go of the interpreter lock).

    Args:
        read: Called with each index; raises DataError where the file is damaged.
        labels: int64 (N,).
        class_names: For messages.
        skip_corrupt: Whether damaged files are left out instead of being an error.

    Returns:
        The indices of what can be read, int64, and what was wrong with the others.

    Raises:
        DataError: A file is damaged, or all of a class are.
    """

    def problem_with(index: int) -> str | None:
        try:
            read(index)
        except DataError as error:
            return str(error)
        return None  # it can be read

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = threads.map(problem_with, range(len(labels)))
        # Shown after a second, on a terminal only.
        progress = tqdm(found, "decoding", len(labels), unit="image", delay=1.0, disable=None)
        problems = list(progress)
    skipped = tuple(problem for problem in problems if problem is not None)
    if skipped and not skip_corrupt:
        more = f" ({len(skipped)} of {len(labels)} images are damaged)" if len(skipped) > 1 else ""
        raise DataError(f"{skipped[0]}{more}")
    skipped = tuple(problem.removesuffix(_ADVICE) for problem in skipped)
    readable = torch.tensor([problem is None for problem in problems]).nonzero().flatten()
    left = labels[readable].bincount(minlength=len(class_names))
    if (left == 0).any():
        name = class_names[int(left.argmin())]
        raise DataError(
            f"--skip_corrupt: no image of the class {name!r} can be read ({skipped[0]}); repair "
            "some or remove the class from every split"
        )
    return readable, skipped


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


def _decode(path: Path, size: int) -> NDArray[np.uint8]:
    """Return one image as uint8 (3, size, size)."""
    return np.asarray(resize_and_crop(read_image(path), size, str(path))).transpose(2, 0, 1)


def resize_and_crop(image: Image.Image, size: int, where: str = "image") -> Image.Image:
    """Bring the short side to `size` pixels (bilinear, antialiased) and keep the center.

    Raises:
        DataError: The image is so long and thin that it would take too much memory.
    """
    width, height = image.size
    if (width, height) == (size, size):
        return image
    # The same rounding as torchvision's Resize and CenterCrop.
    short = min(width, height)
    width, height = size * width // short, size * height // short
    if width * height > Image.MAX_IMAGE_PIXELS:
        raise DataError(
            f"{where}: is {image.size[0]} x {image.size[1]}, too long and thin to be brought to "
            f"{size} x {size}; remove the file"
        )
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert from any mode; what is transparent keeps its stored colour."""
    if image.mode.startswith("I"):  # 16 bits a pixel, which PIL would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # PIL warns about the direct way
    return image.convert("RGB")
