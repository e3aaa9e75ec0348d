"""The door to all datasets: a name and a folder in, images as one tensor out."""

from pathlib import Path

from nas.data.cifar import load_cifar
from nas.data.image_sets import ImageSet
from nas.data.imagefolder import load_imagefolder
from nas.data.shapes.dataset import load_shapes
from nas.errors import DataError, close_matches

_NAMES = ("cifar10", "cifar100", "imagefolder", "shapes")
_SPLITS = ("train", "test")


def dataset_names() -> tuple[str, ...]:
    """Return the names that `load_dataset` knows."""
    return _NAMES


def load_dataset(
    name: str,
    root: str | Path | None = None,
    *,
    split: str,
    image_size: int | None = None,
    max_images: int | None = None,
    seed: int = 0,
    skip_corrupt: bool = False,
    value_range: int | None = None,
) -> ImageSet:
    """Read one split of a dataset into memory.

    `split="train"` reads no image of the test split.

    Args:
        name: One of `dataset_names()`.
        root: The folder that holds it; `shapes` is drawn by the program and needs none.
        split: "train" or "test".
        image_size: Height and width to resize to, pixels; None is the size of the dataset, which
            `imagefolder` does not have.
        max_images: Use a class-stratified part of this many images; None is all of them.
        seed: Chooses that part, nothing else.
        skip_corrupt: Leave out damaged files of `imagefolder`; without it one is an error.
        value_range: The value that is white in gray images of `imagefolder` with more than 8 bits,
            such as that of the training split; None finds it in this split.

    Raises:
        DataError: The name is unknown, or the files are missing, damaged or inconsistent.
    """
    if name not in _NAMES:
        raise DataError(f"dataset: unknown dataset {name!r}; {close_matches(name, _NAMES)}")
    if split not in _SPLITS:
        raise DataError(f"split: unknown split {split!r}; {close_matches(split, _SPLITS)}")
    for parameter, value in (("image_size", image_size), ("max_images", max_images)):
        if value is not None and value < 1:
            raise DataError(f"{parameter}: found {value}, allowed are whole numbers from 1")
    if name == "shapes":
        return load_shapes(split=split, image_size=image_size, max_images=max_images, seed=seed)
    if root is None:
        raise DataError(f"data: found none; {name} needs the folder that holds it")
    root = Path(root).expanduser()
    if name == "imagefolder":
        return load_imagefolder(
            root,
            split=split,
            image_size=image_size,
            max_images=max_images,
            seed=seed,
            skip_corrupt=skip_corrupt,
            value_range=value_range,
        )
    return load_cifar(
        name, root, split=split, image_size=image_size, max_images=max_images, seed=seed
    )
