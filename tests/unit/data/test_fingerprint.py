"""data.json: what has changed between two starts of a run is said."""

import json

import numpy as np
import pytest
from PIL import Image

from nas.data import load_dataset, load_imagenet
from nas.data.fingerprint import (
    ClassImages,
    Fingerprint,
    check_unchanged,
    read_fingerprint,
)
from nas.data.image_sets import fingerprint_of
from nas.errors import ReportError, RunDirectoryError


@pytest.fixture
def root(tmp_path):
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for index in range(3):
                pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.bmp")
    return tmp_path / "data"


def of_folder(root):
    """Return the fingerprint of images in memory."""
    splits = {
        split: load_dataset("imagefolder", root, split=split, image_size=8)
        for split in ("train", "test")
    }
    return fingerprint_of(**splits)


def of_files(root):
    """Return the fingerprint of images in files."""
    settings = {"image_size": 32, "max_images": None, "seed": 0}
    splits = {s: load_imagenet(root, split=s, **settings) for s in ("train", "test")}
    return fingerprint_of(**splits)


@pytest.fixture(params=[of_folder, of_files])
def fingerprint(request):
    return request.param


def test_the_same_images_elsewhere_are_the_same(root, fingerprint):
    before = fingerprint(root)
    root.rename(root.parent / "moved")
    after = fingerprint(root.parent / "moved")
    assert after == before and before.changes_to(after) == []


def rename_class(root):
    for split in ("train", "test"):
        (root / split / "dog").rename(root / split / "wolf")


def remove_class(root):
    for split in ("train", "test"):
        (root / split / "dog").rename(root.parent / f"dog-{split}")
        new = root / split / "ant"
        new.mkdir()
        (root / split / "cat" / "2.bmp").rename(new / "0.bmp")


def remove_image(root):
    (root / "train" / "cat" / "1.bmp").unlink()


def add_image(root):
    Image.new("RGB", (8, 8), "red").save(root / "test" / "dog" / "9.bmp")


def rename_image(root):
    (root / "train" / "cat" / "1.bmp").rename(root / "train" / "cat" / "7.bmp")


def replace_image(root):
    Image.new("RGB", (9, 9), "red").save(root / "train" / "cat" / "1.bmp")


CHANGES = {
    rename_class: [
        f"{s}: class {c}" for s in ("test", "train") for c in ("'dog' is gone", "'wolf' is new")
    ],
    remove_class: [
        f"{s}: class {c}"
        for s in ("test", "train")
        for c in ("'ant' is new", "'cat' has 2 images, had 3", "'dog' is gone")
    ],
    remove_image: ["train: class 'cat' has 2 images, had 3"],
    add_image: ["test: class 'dog' has 4 images, had 3"],
    rename_image: ["train: class 'cat' has other images or file names"],
    replace_image: ["train: class 'cat' has other images or file names"],
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_said(root, fingerprint, change):
    before = fingerprint(root)
    change(root)
    assert before.changes_to(fingerprint(root)) == CHANGES[change]


def test_another_image_of_the_same_size_and_name(root):
    """Images in memory are compared by content."""
    before = of_folder(root)
    Image.new("RGB", (8, 8), "red").save(root / "train" / "cat" / "1.bmp")
    assert before.changes_to(of_folder(root)) == CHANGES[replace_image]


def test_datasets_that_never_change():
    images = load_dataset("shapes", split="train", max_images=20)
    fingerprint = fingerprint_of(train=images)
    assert (fingerprint.dataset, fingerprint.image_size) == ("shapes", 32)
    assert fingerprint.splits["train"]["disc"] == ClassImages(2, "")


PLAIN = Fingerprint("imagefolder", 8, None, {"train": {"a": ClassImages(3, "x")}})


def test_it_is_read_back(tmp_path):
    assert read_fingerprint(tmp_path) is None
    (tmp_path / "data.json").write_text(PLAIN.to_json())
    assert read_fingerprint(tmp_path) == PLAIN


def test_a_run_is_not_resumed_with_other_images(tmp_path):
    """A run from before data.json is; splits that one of them lacks are not compared."""
    check_unchanged(tmp_path, PLAIN)
    (tmp_path / "data.json").write_text(PLAIN.to_json())
    check_unchanged(tmp_path, PLAIN)
    more = {"train": PLAIN.splits["train"], "test": {"b": ClassImages(1, "y")}}
    check_unchanged(tmp_path, Fingerprint("imagefolder", 8, None, more))
    other = Fingerprint("imagefolder", 8, 4095, {"train": {"a": ClassImages(4, "x")}})
    with pytest.raises(RunDirectoryError, match="had 3; value_range was None, is 4095; restore"):
        check_unchanged(tmp_path, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": 3}, "dataset: expected a name, found 3"),
        ({"image_size": -1}, "image_size: expected a whole number"),
        ({"splits": []}, "splits: : expected an object"),
        ({"splits": {"train": {"a": {"num_images": 1}}}}, "splits.train.a: without 'digest'"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, change, message):
    (tmp_path / "data.json").write_text(json.dumps(json.loads(PLAIN.to_json()) | change))
    with pytest.raises(ReportError, match=message):
        read_fingerprint(tmp_path)
