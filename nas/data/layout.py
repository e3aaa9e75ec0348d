"""Which folders of a dataset are its splits and classes, as datasets are unpacked.

The layouts are listed in docs/data.md. Only names of folders are looked at here, never an image.
"""

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from nas.errors import DataError

EXPECTED = "expected DATA/train/<class>/*.jpg and DATA/test/<class>/*.jpg (or DATA/val)"
SPLIT_NAMES = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "val": ("val", "valid", "validation"),
}
"""Names of the folders of a split, in any case."""
ANNOTATIONS = "val_annotations.txt"
"""Tiny ImageNet: file name, tab, class, one line per image of the folder `images`."""
JUNK = ("__macosx", ".ds_store", "thumbs.db", "desktop.ini")
"""What operating systems leave behind; ignored without a word, and so are names with ._"""


@dataclass(frozen=True)
class Layout:
    """Where the images of one split are."""

    folder: Path
    classes: dict[str, Path]
    """The folder of each class, in order of the names."""
    annotated: dict[str, list[Path]] | None = None
    """The files of each class where a file of annotations tells them apart."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What was chosen where there was a choice, and what is not read."""


def find_layout(root: Path, split: str) -> Layout:
    """Find the images of a split.

    "test" is the folder test if it has the classes of train, else val. A folder without classes
    is passed over if the other one has them. "train" looks at no other split.

    Args:
        root: The folder of the dataset.
        split: "train" or "test".

    Raises:
        DataError: The folder does not exist, or its classes are not those of train.
    """
    if not is_folder(root):
        raise DataError(f"data: there is no folder {root}; {EXPECTED}")
    root, folders, notes = _find_splits(root)
    if split == "train":
        if "train" not in folders:
            raise DataError(f"{root}: has no folder `train`{_hint(root)}; {EXPECTED}")
        layout = _labeled(folders["train"])
        if layout is None:
            raise DataError(f"{folders['train']}: {_why_no_classes(folders['train'])}; {EXPECTED}")
        rest = sorted(
            {path.name for path in entries(root).folders} - {f.name for f in folders.values()}
        )
        if rest:
            notes = (*notes, f"{root}: not read: the folders {_some(rest)}")
        return Layout(layout.folder, layout.classes, layout.annotated, (*notes, *layout.notes))
    return _find_test(root, folders, notes)


def _find_test(root: Path, folders: dict[str, Path], notes: tuple[str, ...]) -> Layout:
    candidates = [folders[name] for name in ("test", "val") if name in folders]
    if not candidates:
        if "train" not in folders and len(_with_images(root)) > 1:
            note = f"{root}: has no folder `test` or `val`; its own folders are the classes"
            return Layout(root, _classes(root), notes=(*notes, note))
        raise DataError(f"{root}: has no folder `test` or `val`{_hint(root)}; {EXPECTED}")
    expected = _labeled(folders["train"]) if "train" in folders else None
    layouts = [layout for path in candidates if (layout := _labeled(path)) is not None]
    if not layouts:
        raise DataError(f"{candidates[0]}: {_why_no_classes(candidates[0])}; {EXPECTED}")
    if expected is None:
        # A folder `images` and nothing else is not a class.
        chosen = next((layout for layout in layouts if len(layout.classes) > 1), layouts[0])
    else:
        chosen = _with_the_classes_of(expected, layouts)
    others = [path for path in candidates if path != chosen.folder]
    for path in others:  # val next to a good test, or a test without classes
        reason = ", which has no folders of the classes" if path == candidates[0] else ""
        notes = (*notes, f"the test images are those of {chosen.folder}; not read: {path}{reason}")
    return Layout(chosen.folder, chosen.classes, chosen.annotated, (*notes, *chosen.notes))


def _with_the_classes_of(expected: Layout, layouts: Sequence[Layout]) -> Layout:
    """Return the first folder with the same classes; the first that shares one must have all."""
    for layout in layouts:
        if layout.classes.keys() == expected.classes.keys():
            return layout
        if layout.classes.keys() & expected.classes.keys():
            break
    else:
        layout = layouts[0]
    ours, theirs = expected.classes, layout.classes
    differences = [
        f"only in {place.folder.name}: {_some([name for name in names if name not in others])}"
        for place, names, others in ((expected, ours, theirs), (layout, theirs, ours))
        if names.keys() - others.keys()
    ]
    raise DataError(
        f"{layout.folder}: its classes ({len(theirs)}) are not the {len(ours)} of "
        f"{expected.folder.name} ({'; '.join(differences)}); both need a folder of the same name "
        "for each class"
    )


def _find_splits(root: Path) -> tuple[Path, dict[str, Path], tuple[str, ...]]:
    """Return the folder that holds the splits, the splits by name, and notes."""
    folders = _splits_in(root)
    if folders:
        return root, folders, ()
    inner = entries(root).folders
    if len(inner) == 1 and (folders := _splits_in(inner[0])):
        return inner[0], folders, (f"the dataset is in {inner[0]}",)
    return root, {}, ()


def _splits_in(root: Path) -> dict[str, Path]:
    found = {path.name: path for path in entries(root).folders}
    by_lower_name = {name.lower(): path for name, path in reversed(sorted(found.items()))}
    splits = {}
    for split, names in SPLIT_NAMES.items():
        paths = [found.get(name) or by_lower_name.get(name) for name in names]
        if path := next((path for path in paths if path is not None), None):
            splits[split] = path
    return splits


def _labeled(folder: Path) -> Layout | None:
    """Return the classes of a split, or None where there are no folders or annotations."""
    if is_file(folder / ANNOTATIONS) and is_folder(folder / "images"):
        return _read_annotations(folder)
    classes = _classes(folder)
    return Layout(folder, classes) if classes else None


def _classes(folder: Path) -> dict[str, Path]:
    classes: dict[str, Path] = {}
    for path in entries(folder).folders:
        name = class_name(path)
        if name in classes:
            raise DataError(
                f"{folder}: {classes[name].name!r} and {path.name!r} are the same class name in "
                "two forms of Unicode; move the images into one of them"
            )
        classes[name] = path
    return dict(sorted(classes.items()))


def class_name(folder: Path) -> str:
    r"""Return the name of a class: composed Unicode; bytes that are not UTF-8 are written as \xNN.

    File systems differ in the form they keep: the same name can be other bytes in another split.
    """
    return unicodedata.normalize("NFC", printable(folder.name))


def printable(name: str) -> str:
    r"""Return a file name that can be encoded: bytes that are not UTF-8 are written as \xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _read_annotations(folder: Path) -> Layout:
    path = folder / ANNOTATIONS
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise DataError(f"{path}: cannot be read ({cause})") from cause
    files: dict[str, list[Path]] = {}
    for number, line in enumerate(lines, start=1):
        words = line.split("\t")
        if not line.strip():
            continue
        if len(words) < 2:
            raise DataError(f"{path}, line {number}: expected NAME<tab>CLASS, found {line[:60]!r}")
        files.setdefault(words[1].strip(), []).append(folder / "images" / words[0].strip())
    if not files:
        raise DataError(f"{path}: lists no images; restore the file")
    classes = dict.fromkeys(sorted(files), folder / "images")
    annotated = {name: sorted(files[name]) for name in classes}
    return Layout(
        folder, classes, annotated, (f"the classes of {folder} are those of {path.name}",)
    )


def _why_no_classes(folder: Path) -> str:
    num_files = len(entries(folder).files)
    if num_files:
        return (
            f"holds {num_files} files but no class folders, so their classes are unknown; move "
            "each into a folder with the name of its class"
        )
    return "holds no class folders"


def _hint(root: Path) -> str:
    """Say what the folder may be instead."""
    names = {path.name for path in entries(root).folders}
    for name, dataset in (("cifar-10-batches-py", "cifar10"), ("cifar-100-python", "cifar100")):
        if name in names:
            return f", but {name}: give `dataset` {dataset}"
    if classes := [path.name for path in _with_images(root)]:
        return f"; images are in {_some(classes)}: move these folders into train and test"
    return f"; its folders are {_some(sorted(names))}" if names else ""


def _with_images(root: Path) -> list[Path]:
    """Return the folders that hold files whose names are those of images."""
    endings = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm")
    return [
        folder
        for folder in entries(root).folders
        if any(path.name.lower().endswith(endings) for path in entries(folder).files)
    ]


class Entries(NamedTuple):
    """What is in a folder, each in order of name."""

    files: list[Path]
    folders: list[Path]


def entries(folder: Path) -> Entries:
    """List a folder without junk and hidden folders.

    Raises:
        DataError: It cannot be read.
    """
    found = Entries([], [])
    try:
        with os.scandir(folder) as everything:
            for entry in sorted(everything, key=lambda entry: entry.name):
                if is_junk(entry.name):
                    continue
                if not entry.is_dir():
                    found.files.append(folder / entry.name)
                elif not entry.name.startswith("."):
                    found.folders.append(folder / entry.name)
    except OSError as cause:
        raise DataError(f"{folder}: this folder cannot be read ({cause.strerror})") from cause
    return found


def is_junk(name: str) -> bool:
    """Whether an operating system left this file or folder behind."""
    return name.lower() in JUNK or name.startswith("._")


def is_folder(path: Path) -> bool:
    """Whether a path is a folder.

    Raises:
        DataError: It cannot be looked at.
    """
    try:
        return path.is_dir()
    except OSError as cause:  # e.g. a folder above it that may not be entered
        raise DataError(f"{path}: cannot be looked at ({cause.strerror})") from cause


def is_file(path: Path) -> bool:
    """Whether a path is a file; False where it cannot be looked at."""
    try:
        return path.is_file()
    except OSError:
        return False


def _some(names: Sequence[str], num: int = 3) -> str:
    """Quote the first names of many."""
    quoted = ", ".join(repr(printable(name))[:40] for name in names[:num])
    return quoted + (f" and {len(names) - num} more" if len(names) > num else "")
