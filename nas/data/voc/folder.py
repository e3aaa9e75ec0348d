"""Read a split of one or several VOC folders, and check every annotation before a run starts."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from nas.data.decoding import CORRUPT_ADVICE, read_image
from nas.data.fingerprint import ClassImages, digest_of
from nas.data.voc.annotations import BoxError, VocObject, read_annotation
from nas.errors import DataError, close_matches, shown

_log = logging.getLogger(__name__)
_LABEL = re.compile(r"\s+-?[01]$")
"""What the split files of one class have after each name."""
_ROTATED = (5, 6, 7, 8)
_ORIENTATION = 0x0112  # the EXIF tag
_ADVICE = "; repair or remove it, or leave out what is damaged with `skip_corrupt`"
_MAX_LISTED = 5
WITHOUT_OBJECT = "(no object)"
"""What data.json calls images without an object."""


@dataclass(frozen=True)
class VocImage:
    """An image and its objects."""

    path: Path
    width: int
    height: int
    boxes: Tensor
    """float32 (objects, 4), (x1, y1, x2, y2) in units of the image, in [0, 1]."""
    labels: Tensor
    """int64 (objects,), indices into the classes."""
    difficult: Tensor
    """bool (objects,)."""


@dataclass(frozen=True)
class VocSet:
    """The images of one split of one or several folders."""

    images: tuple[VocImage, ...]
    classes: tuple[str, ...]
    """The class of label 0, of label 1, ..."""
    skipped: tuple[str, ...] = ()
    """What was wrong with each image or box that was left out."""

    def __len__(self) -> int:
        return len(self.images)

    def fingerprint(self) -> dict[str, ClassImages]:
        """The objects of each class, their number and a hash of images and boxes.

        Images without an object, if there are any, have an entry of their own.
        """
        found: dict[str, list[tuple[str, str]]] = {name: [] for name in self.classes}
        for image in self.images:
            if len(image.labels) == 0:
                found.setdefault(WITHOUT_OBJECT, []).append((image.path.name, ""))
            rows = zip(image.labels, image.boxes, image.difficult, strict=True)
            for label, box, difficult in rows:
                text = f"{box.tolist()} {bool(difficult)}"
                found[self.classes[int(label)]].append((image.path.name, text))
        return {name: ClassImages(len(items), digest_of(items)) for name, items in found.items()}

    @property
    def num_objects(self) -> int:
        """Objects in all images."""
        return sum(len(image.labels) for image in self.images)


def load_voc(
    folders: Sequence[str | Path],
    split: str,
    classes: Sequence[str] = (),
    *,
    skip_corrupt: bool = False,
) -> VocSet:
    """Read a split: annotations, and the sizes of the images, but not yet their pixels.

    Args:
        folders: Each has Annotations, JPEGImages and ImageSets/Main; their images are joined.
        split: The name of a file in ImageSets/Main, without .txt.
        classes: Names of the classes; none takes those of the annotations, sorted.
        skip_corrupt: Leave out images and boxes that cannot be used, and log them. All images are
            then decoded once.

    Raises:
        DataError: Something is missing, damaged, or of an unknown class, or nothing is left.
    """
    skipped: list[str] = []
    read: list[tuple[Path, int, int, list[VocObject]]] = []
    for folder in map(Path, folders):
        pictures = _pictures(folder)
        for name in _names(folder, split):
            try:
                path, width, height, objects = _read(folder, name, pictures, decode=skip_corrupt)
            except DataError as cause:
                _skip(str(cause).removesuffix(CORRUPT_ADVICE), skipped, skip_corrupt)
                continue
            good = []
            for item in objects:
                try:
                    item.check(width, height)
                    good.append(item)
                except BoxError as cause:
                    where = folder / "Annotations" / f"{name}.xml"
                    _skip(f"{where}: {cause}", skipped, skip_corrupt)
            read.append((path, width, height, good))
    place = " and ".join(map(str, folders))
    if not read:
        raise DataError(f"{place}: the split {split!r} has no image that can be used")
    if skipped:
        listed = "; ".join(skipped[:_MAX_LISTED])
        more = f"; and {len(skipped) - _MAX_LISTED} more" if len(skipped) > _MAX_LISTED else ""
        _log.warning("%s: split %s: left out %d: %s%s", place, split, len(skipped), listed, more)
    names = tuple(classes) or tuple(sorted({item.name for *_, items in read for item in items}))
    if not names:
        raise DataError(f"{place}: the split {split!r} has no object in any image")
    images = tuple(_image(path, width, height, items, names) for path, width, height, items in read)
    return VocSet(images, names, tuple(skipped))


def _skip(problem: str, skipped: list[str], allowed: bool) -> None:
    if not allowed:
        raise DataError(problem + _ADVICE)
    skipped.append(problem)


def _names(folder: Path, split: str) -> list[str]:
    """Return the names in a split file; line ends of Windows and labels after names are allowed."""
    path = folder / "ImageSets" / "Main" / f"{split}.txt"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as cause:
        raise DataError(f"{path} is not text in UTF-8; save it as UTF-8") from cause
    except OSError as cause:
        known = sorted(p.stem for p in path.parent.glob("*.txt"))
        near = f"its splits are {', '.join(known)}" if known else "it has no ImageSets/Main/*.txt"
        raise DataError(
            f"{path} cannot be read; {near}; name a VOC folder and one of its splits"
        ) from cause
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise DataError(f"{path} is empty; it needs the name of an image on each line")
    annotations = folder / "Annotations"
    return list(
        dict.fromkeys(
            name if (annotations / f"{name}.xml").is_file() else _LABEL.sub("", name)
            for name in names
        )
    )


def _pictures(folder: Path) -> dict[str, Path]:
    """Return the image files of a folder by their names without suffix."""
    path = folder / "JPEGImages"
    if not path.is_dir():
        raise DataError(
            f"{folder} is no VOC folder: {path} does not exist; it needs Annotations, "
            "JPEGImages and ImageSets/Main"
        )
    return {file.stem: file for file in sorted(path.iterdir()) if file.is_file()}


def _read(
    folder: Path, name: str, pictures: dict[str, Path], *, decode: bool
) -> tuple[Path, int, int, tuple[VocObject, ...]]:
    annotation = read_annotation(folder / "Annotations" / f"{name}.xml")
    path = pictures.get(name)
    if path is None:
        raise DataError(f"{folder / 'JPEGImages' / name}.jpg: the image does not exist")
    width, height = _size(path)
    if decode:
        read_image(path)
    if annotation.size not in (None, (width, height)):
        assert annotation.size is not None
        raise DataError(
            f"{path}: is an image of {width} x {height}, but its annotation says "
            "{} x {}".format(*annotation.size)
        )
    return path, width, height, annotation.objects


def _size(path: Path) -> tuple[int, int]:
    """Return width and height of an image as it is shown."""
    try:
        with Image.open(path) as image:
            is_rotated = image.getexif().get(_ORIENTATION) in _ROTATED
            return image.size[::-1] if is_rotated else image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as cause:
        raise DataError(f"{path}: cannot be read as an image") from cause


def _image(
    path: Path, width: int, height: int, items: Sequence[VocObject], classes: tuple[str, ...]
) -> VocImage:
    for item in items:
        if item.name not in classes:
            raise DataError(
                f"{path}: an object is of class {shown(item.name)}, which is not in the list of "
                f"classes; {close_matches(item.name, classes)}"
            )
    size = torch.tensor([width, height, width, height], dtype=torch.float32)
    boxes = torch.tensor([item.box for item in items], dtype=torch.float32).reshape(-1, 4)
    return VocImage(
        path,
        width,
        height,
        boxes / size,
        torch.tensor([classes.index(item.name) for item in items], dtype=torch.int64),
        torch.tensor([item.difficult for item in items], dtype=torch.bool),
    )
