"""data.json: which images a run has seen, so that a later start notices that they have changed.

The path of the dataset is not part of it: the same images in another place are the same data.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.errors import RunDirectoryError
from nas.records import is_count, read_object, take

FILE_NAME = "data.json"
VOC = "voc"
"""The dataset of a detector."""
_MAX_CHANGES = 3


@dataclass(frozen=True)
class ClassImages:
    """The images of one class in one split."""

    num_images: int
    """Of a VOC folder, objects."""
    digest: str
    """Hash of names and contents of the files, names and sizes for imagenet, names and boxes for a
    VOC folder; "" where the dataset never changes."""


@dataclass(frozen=True)
class Fingerprint:
    """What a run has seen of a dataset."""

    dataset: str
    image_size: int
    value_range: int | None
    """The value that is white in gray images of more than 8 bits; None: there are none."""
    splits: Mapping[str, Mapping[str, ClassImages]]
    """The classes of "train" and, after a training, of "test"."""

    def to_json(self) -> str:
        """Return the text of data.json."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str) -> "Fingerprint":
        """Read the JSON object that `to_json` wrote.

        Args:
            document: The object.
            where: Its file, for messages.

        Raises:
            ReportError: A value is missing or of the wrong kind.
        """
        splits = {
            split: {
                name: _class_images(value, f"{where}: splits.{split}.{name}")
                for name, value in _is_object(classes, f"{where}: splits.{split}").items()
            }
            for split, classes in _is_object(document.get("splits"), f"{where}: splits").items()
        }
        return cls(
            dataset=take(document, "dataset", where, lambda v: isinstance(v, str), "a name"),
            image_size=take(document, "image_size", where, is_count, "a whole number"),
            value_range=document.get("value_range"),
            splits=splits,
        )

    def changes_to(self, now: "Fingerprint") -> list[str]:
        """Return what is different now, one short phrase each; splits in both are compared."""
        changes = [
            f"{name} was {before!r}, is {after!r}"
            for name in ("dataset", "image_size", "value_range")
            if (before := getattr(self, name)) != (after := getattr(now, name))
        ]
        for split in self.splits.keys() & now.splits.keys():
            old, new = self.splits[split], now.splits[split]
            changes += [f"{split}: class {name!r} is gone" for name in old if name not in new]
            changes += [f"{split}: class {name!r} is new" for name in new if name not in old]
            for name in old.keys() & new.keys():
                before, after = old[name], new[name]
                if before.num_images != after.num_images:
                    noun = "objects" if now.dataset == VOC else "images"
                    counts = f"{after.num_images} {noun}, had {before.num_images}"
                    changes.append(f"{split}: class {name!r} has {counts}")
                elif before.digest != after.digest:
                    changes.append(f"{split}: class {name!r} has other images or file names")
        return sorted(changes)


def digest_of(parts: Iterable[tuple[str, str]]) -> str:
    """Return a hash of (name of a file, hash or size of its content), in any order."""
    text = json.dumps(sorted(parts))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_fingerprint(run: Path) -> Fingerprint | None:
    """Return the fingerprint in a run directory, or None if the run is older than it.

    Raises:
        ReportError: It cannot be read.
    """
    path = run / FILE_NAME
    if not path.is_file():
        return None
    return Fingerprint.from_document(read_object(path), str(path))


def check_unchanged(run: Path, now: Fingerprint) -> None:
    """Check that a run to be resumed still has its images.

    Raises:
        RunDirectoryError: They have changed.
    """
    before = read_fingerprint(run)
    if before is not None and (changes := before.changes_to(now)):
        raise RunDirectoryError(
            f"data: not the images that the run in {run} was started with: "
            f"{some_changes(changes)}; restore them, or start another run in another `out`"
        )


def some_changes(changes: list[str]) -> str:
    """Return the first changes as text."""
    more = f" and {len(changes) - _MAX_CHANGES} more" if len(changes) > _MAX_CHANGES else ""
    return "; ".join(changes[:_MAX_CHANGES]) + more


def _class_images(value: Any, where: str) -> ClassImages:
    fields = _is_object(value, where)
    return ClassImages(
        take(fields, "num_images", where, is_count, "a whole number"),
        take(fields, "digest", where, lambda digest: isinstance(digest, str), "a text"),
    )


def _is_object(value: Any, where: str) -> Mapping[str, Any]:
    return take({"": value}, "", where, lambda v: isinstance(v, dict), "an object")
