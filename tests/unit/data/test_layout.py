"""Folders as datasets are unpacked: used where it is clear what is meant, else one short error."""

import os
import unicodedata

import pytest
from PIL import Image

from nas.data.layout import find_layout
from nas.errors import DataError


def make(root, *paths):
    """Make small images."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(root / path, "PNG")


def classes(root, split, names=("cat", "dog")):
    make(root, *(f"{split}/{name}/0.png" for name in names))


def error(root, split):
    """Return the one line that a layout is refused with."""
    with pytest.raises(DataError) as caught:
        find_layout(root, split)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message.replace(str(root), "DATA")) < 300
    return message


@pytest.mark.parametrize("name", ["test", "val", "valid", "validation", "Test", "VAL", "testing"])
def test_the_test_split_has_several_names(tmp_path, name):
    classes(tmp_path, "train")
    classes(tmp_path, name)
    layout = find_layout(tmp_path, "test")
    assert layout.folder == tmp_path / name and list(layout.classes) == ["cat", "dog"]
    assert layout.notes == ()


@pytest.mark.parametrize("name", ["train", "Train", "training"])
def test_the_training_split(tmp_path, name):
    classes(tmp_path, name)
    assert find_layout(tmp_path, "train").folder == tmp_path / name


def test_train_val_and_test(tmp_path):
    """Test images are those of test; that val is not read is said."""
    for split in ("train", "val", "test"):
        classes(tmp_path, split)
    layout = find_layout(tmp_path, "test")
    assert layout.folder == tmp_path / "test"
    assert layout.notes == (
        f"the test images are those of {tmp_path}/test; not read: {tmp_path}/val",
    )


@pytest.mark.parametrize("place", ["test/0.png", "test/images/0.png"])
def test_a_test_folder_without_classes(tmp_path, place):
    """ILSVRC and Tiny ImageNet have one; val is meant, and it is said."""
    classes(tmp_path, "train")
    classes(tmp_path, "val")
    make(tmp_path, place)
    layout = find_layout(tmp_path, "test")
    assert layout.folder == tmp_path / "val"
    assert "not read: " + str(tmp_path / "test") in layout.notes[0]
    assert "no folders of the classes" in layout.notes[0]


def test_a_test_folder_with_some_of_the_classes_is_an_error(tmp_path):
    """It is meant, and wrong: val is no replacement."""
    classes(tmp_path, "train")
    classes(tmp_path, "val")
    classes(tmp_path, "test", ("cat",))
    assert "its classes (1) are not the 2 of train (only in train: 'dog')" in error(
        tmp_path, "test"
    )


def test_many_classes_that_differ_are_one_short_line(tmp_path):
    classes(tmp_path, "train", [f"n{index:08d}" for index in range(60)])
    classes(tmp_path, "test", [f"m{index:08d}" for index in range(60)])
    message = error(tmp_path, "test")
    assert "only in train: 'n00000000', 'n00000001', 'n00000002' and 57 more" in message


def test_training_alone_looks_at_no_other_split(tmp_path):
    """A search needs none: its other folders may hold anything."""
    classes(tmp_path, "train")
    make(tmp_path, "test/0.png", "val/other/0.png")
    assert list(find_layout(tmp_path, "train").classes) == ["cat", "dog"]
    (tmp_path / "extra").mkdir()
    (note,) = find_layout(tmp_path, "train").notes
    assert note == f"{tmp_path}: not read: the folders 'extra'"


def test_validation_images_alone(tmp_path):
    """They are enough to measure a network; with `data` being the folder itself, too."""
    classes(tmp_path, "val")
    assert find_layout(tmp_path, "test").folder == tmp_path / "val"
    layout = find_layout(tmp_path / "val", "test")
    assert layout.folder == tmp_path / "val" and list(layout.classes) == ["cat", "dog"]
    assert "its own folders are the classes" in layout.notes[0]


def test_tiny_imagenet(tmp_path):
    """The classes of val/images are in a file of annotations."""
    make(tmp_path, "train/n1/images/n1_0.JPEG", "train/n2/images/n2_0.JPEG", "test/images/0.JPEG")
    make(tmp_path, *(f"val/images/val_{index}.JPEG" for index in range(3)))
    lines = "val_0.JPEG\tn2\t0\t0\t9\t9\nval_1.JPEG\tn1\t1\t1\t5\t5\r\nval_2.JPEG\tn2\t0\t0\t1\t1\n"
    (tmp_path / "val" / "val_annotations.txt").write_bytes(lines.encode())
    layout = find_layout(tmp_path, "test")
    images = tmp_path / "val" / "images"
    assert layout.annotated == {
        "n1": [images / "val_1.JPEG"],
        "n2": [images / "val_0.JPEG", images / "val_2.JPEG"],
    }
    (tmp_path / "val" / "val_annotations.txt").write_text("val_0.JPEG n2\n")
    assert "val_annotations.txt, line 1: expected NAME<tab>CLASS" in error(tmp_path, "test")


def test_one_folder_around_the_dataset(tmp_path):
    classes(tmp_path / "photos", "train")
    make(tmp_path, "__MACOSX/photos/._train")
    layout = find_layout(tmp_path, "train")
    assert layout.folder == tmp_path / "photos" / "train"
    assert layout.notes == (f"the dataset is in {tmp_path}/photos",)


def test_what_systems_leave_behind_is_no_class(tmp_path):
    classes(tmp_path, "train")
    make(tmp_path, "train/__MACOSX/0.png", "train/.ipynb_checkpoints/0.png", "train/.DS_Store")
    assert list(find_layout(tmp_path, "train").classes) == ["cat", "dog"]


NAMES = ["two words", "it's", 'say "hi"', "[a]", "#1", "100%", "a=b", "{x}", "*", "ünï", "猫", "-x"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_classes_are_taken_as_they_are(tmp_path, name):
    classes(tmp_path, "train", (name, "zz"))
    assert name in find_layout(tmp_path, "train").classes


def test_the_two_forms_of_unicode_are_one_name(tmp_path):
    """A zip file of a Mac has decomposed names, one of Linux composed ones."""
    composed = unicodedata.normalize("NFC", "café")
    decomposed = unicodedata.normalize("NFD", "café")
    assert composed != decomposed
    classes(tmp_path, "train", (composed, "zz"))
    classes(tmp_path, "test", (decomposed, "zz"))
    layout = find_layout(tmp_path, "test")
    assert list(layout.classes) == [composed, "zz"]
    assert layout.classes[composed].is_dir()
    classes(tmp_path, "train", (decomposed,))
    assert "are the same class name in two forms of Unicode" in error(tmp_path, "train")


def test_names_that_are_not_utf8_can_be_printed(tmp_path):
    """Latin-1 from an old archive: written as an escape, read from the folder as it is."""
    folder = os.fsdecode(os.fsencode(tmp_path / "train") + b"/caf\xe9")
    os.makedirs(folder)  # noqa: PTH103
    (tmp_path / "train" / "zz").mkdir()
    layout = find_layout(tmp_path, "train")
    assert list(layout.classes) == ["caf\\xe9", "zz"]
    assert layout.classes["caf\\xe9"].is_dir()
    "".join(layout.classes).encode("utf-8")


class TestErrors:
    def test_no_folder(self, tmp_path):
        assert error(tmp_path / "nowhere", "train").startswith("data: there is no folder ")

    def test_a_file(self, tmp_path):
        make(tmp_path, "x.png")
        assert "there is no folder" in error(tmp_path / "x.png", "train")

    def test_classes_without_splits(self, tmp_path):
        make(tmp_path, "cat/0.png", "dog/0.png")
        message = error(tmp_path, "train")
        assert "has no folder `train`; images are in 'cat', 'dog': move these folders" in message

    def test_no_test_images(self, tmp_path):
        classes(tmp_path, "train")
        assert "has no folder `test` or `val`" in error(tmp_path, "test")

    @pytest.mark.parametrize("split", ["train", "test"])
    def test_images_without_classes(self, tmp_path, split):
        classes(tmp_path, "train" if split == "test" else "test")
        make(tmp_path, f"{split}/0.png", f"{split}/1.png")
        assert "holds 2 files but no class folders" in error(tmp_path, split)

    def test_an_empty_folder(self, tmp_path):
        (tmp_path / "train").mkdir()
        assert "train: holds no class folders; expected" in error(tmp_path, "train")

    def test_the_folder_of_cifar(self, tmp_path):
        (tmp_path / "cifar-10-batches-py").mkdir()
        assert "but cifar-10-batches-py: give `dataset` cifar10" in error(tmp_path, "train")
