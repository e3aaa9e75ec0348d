"""The image files of one split: which are used, and how many of what kind are left out.

Files are known as images by their ending, or else by their first bytes, so that a name without
an ending is no obstacle. Nothing is decoded here.
"""

import logging
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from nas.data.decoding import read_formats
from nas.data.layout import Layout, entries, find_layout, is_file, printable
from nas.data.splits import stratified_subset
from nas.errors import DataError

RAW_ENDINGS = (".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2")
"""Files of cameras, of which Pillow would read the small preview."""

_MAX_KINDS = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitFiles:
    """The image files of one split."""

    folder: Path
    class_names: tuple[str, ...]
    """In order: the class of label 0, of label 1, ..."""
    paths: list[Path]
    labels: Tensor
    """int64 (N,)."""
    left_out: dict[str, int]
    """How many files of each kind are not used, by kind and reason."""
    notes: tuple[str, ...]
    """What was chosen where there was a choice."""

    def __post_init__(self) -> None:
        assert len(self.paths) == len(self.labels)

    def summary(self) -> str:
        """Return one line: how many files are used, and what is left out."""
        images, classes = count(len(self.paths), "image"), count(len(self.class_names), "class")
        text = f"{self.folder}: {images} of {classes}"
        if not self.left_out:
            return f"{text}, no file left out"
        kinds = [f"{num} {kind}" for kind, num in Counter(self.left_out).most_common()]
        more = f", {len(kinds) - _MAX_KINDS} more kinds" if len(kinds) > _MAX_KINDS else ""
        total = sum(self.left_out.values())
        return f"{text}, {count(total, 'file')} left out: {', '.join(kinds[:_MAX_KINDS])}{more}"


def count(num: int, noun: str) -> str:
    """Return a number and its noun: 1 image, 2 images, 2 classes."""
    plural = "es" if noun.endswith("s") else "s"
    return f"{num} {noun}{'' if num == 1 else plural}"


def list_files(root: Path, split: str) -> SplitFiles:
    """List the images of one split; see docs/data.md for what is used.

    Args:
        root: The folder of the dataset.
        split: "train" or "test".

    Raises:
        DataError: A folder is missing, empty or unreadable, or the classes of the splits differ.
    """
    layout = find_layout(root, split)
    left_out: Counter[str] = Counter()
    if layout.annotated is not None:
        files = _annotated_files(layout, left_out)
        notes = layout.notes
    else:
        if num := len(entries(layout.folder).files):
            left_out["next to the class folders"] = num
        files, from_deeper = [], []
        for folder in layout.classes.values():
            paths, is_deeper = _images_of_class(folder, left_out)
            files.append(paths)
            from_deeper += [folder] if is_deeper else []
        notes = layout.notes
        if from_deeper:
            where = f"{len(from_deeper)} of {len(files)} classes, such as {from_deeper[0]}"
            notes = (*notes, f"read from deeper folders: the images of {where}")
    labels = torch.tensor(
        [label for label, paths in enumerate(files) for _ in paths], dtype=torch.int64
    )
    every = [path for paths in files for path in paths]
    return SplitFiles(layout.folder, tuple(layout.classes), every, labels, dict(left_out), notes)


def choose_files(files: SplitFiles, max_images: int | None, seed: int) -> tuple[list[Path], Tensor]:
    """Return the files and labels of a class-stratified part, or of all where it is None.

    Raises:
        SubsetError: `max_images` is out of range.
    """
    if max_images is None:
        return files.paths, files.labels
    chosen = stratified_subset(files.labels, max_images, seed)
    return [files.paths[index] for index in chosen.tolist()], files.labels[chosen]


def _annotated_files(layout: Layout, left_out: Counter[str]) -> list[list[Path]]:
    assert layout.annotated is not None
    listed = {path for paths in layout.annotated.values() for path in paths}
    missing = [path for path in sorted(listed) if not is_file(path)]
    if missing:
        raise DataError(
            f"{missing[0]}: is listed in the annotations of {layout.folder.name}, but is missing "
            f"({len(missing)} of {len(listed)} are); restore the files"
        )
    for folder in sorted({path.parent for path in listed}):
        if num := sum(1 for path in entries(folder).files if path not in listed):
            left_out["without an annotation"] += num
    return list(layout.annotated.values())


def _images_of_class(folder: Path, left_out: Counter[str]) -> tuple[list[Path], bool]:
    """Return the images of a class, and whether they are in deeper folders.

    Images in the folder itself are used. Where there are none, those of its folder `images` are,
    or else those of all deeper folders.
    """
    files, deeper = entries(folder)
    own_left_out: Counter[str] = Counter()
    paths = [path for path in files if _is_used(path, own_left_out)]
    if paths:
        if num := sum(len(_walk(path)) for path in deeper):
            own_left_out["in deeper folders of classes"] += num
    elif deeper:
        images = [path for path in deeper if path.name.lower() == "images"]
        for path in deeper:
            for file in _walk(path):
                if images and path not in images:
                    own_left_out["in deeper folders of classes"] += 1
                elif _is_used(file, own_left_out):
                    paths.append(file)
    if not paths:
        kinds = ", ".join(f"{num} {kind}" for kind, num in own_left_out.most_common(3))
        raise DataError(
            f"{folder}: this class has no images{f' ({kinds})' if kinds else ''}; put files such "
            "as .jpg or .png there, or remove the folder from every split"
        )
    left_out += own_left_out
    return paths, bool(deeper) and paths[0].parent != folder


def _walk(folder: Path) -> list[Path]:
    """Return all files below a folder in order, without junk and hidden folders."""
    files, folders = entries(folder)
    return [*files, *(file for inner in folders for file in _walk(inner))]


def _is_used(path: Path, left_out: Counter[str]) -> bool:
    """Whether a file is an image to be read; what is not is counted."""
    ending = path.suffix.lower()
    if path.name.startswith("."):
        kind = "hidden"
    elif _format_of(ending) in read_formats():
        return True
    elif ending in RAW_ENDINGS:
        kind = f"{ending} (raw files of cameras)"
    elif _format_of(ending) is None and _looks_like_an_image(path):
        return True
    else:
        kind = (
            f"{printable(ending)[:20]} (not read)" if ending else "without an ending (not images)"
        )
    left_out[kind] += 1
    return False


def _looks_like_an_image(path: Path) -> bool:
    """Whether the first bytes are those of an image."""
    try:
        with Image.open(path, formats=_marked_formats()):
            return True
    except Exception as cause:  # readers of damaged headers raise many things
        _log.debug("%s: not an image: %s", path, cause)
        return False


@cache
def _marked_formats() -> tuple[str, ...]:
    """Return the formats that are recognized by their first bytes."""
    return tuple(name for name in read_formats() if Image.OPEN[name][1] is not None)


@cache
def _format_of(ending: str) -> str | None:
    """Return the format of a file name's ending as Pillow knows it; "BMP" for ".bmp"."""
    return Image.registered_extensions().get(ending)
