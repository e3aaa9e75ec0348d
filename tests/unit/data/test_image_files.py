"""Which files of a split are used; how many of what kind are not, and why."""

import numpy as np
import pytest
from PIL import Image

from nas.data.image_files import choose_files, list_files
from nas.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def save(path, kind="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PIXELS).save(path, kind)


@pytest.fixture
def root(tmp_path):
    for name in ("cat", "dog"):
        for index in range(2):
            save(tmp_path / "train" / name / f"{index}.png")
    return tmp_path


def names(files):
    return [str(path.relative_to(files.folder)) for path in files.paths]


def test_the_order_is_that_of_names(root):
    files = list_files(root, "train")
    assert files.class_names == ("cat", "dog") and files.labels.tolist() == [0, 0, 1, 1]
    assert names(files) == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert files.left_out == {} and files.notes == ()
    assert files.summary() == f"{root}/train: 4 images of 2 classes, no file left out"


USED = {
    "x.gif": "GIF",
    "x.jfif": "JPEG",
    "x.JPEG": "JPEG",
    "x.PNG": "PNG",
    "x.Tif": "TIFF",
    "x": "PNG",
    "x.txt": "PNG",
    "x.jpg_large": "JPEG",
    "photo.jpg.tmp": "JPEG",
    "image (1) [2] #3.png": "PNG",
    "x.tga": "TGA",
    "x.jp2": "JPEG2000",
    "x.dat": "WEBP",
}


@pytest.mark.parametrize(("name", "kind"), USED.items())
def test_images_are_used_whatever_their_name(root, name, kind):
    save(root / "train" / "cat" / name, kind)
    files = list_files(root, "train")
    assert f"cat/{name}" in names(files) and files.left_out == {}


LEFT_OUT = {
    "labels.csv": ".csv (not read)",
    "x.mp4": ".mp4 (not read)",
    "README": "without an ending (not images)",
    "x.svg": ".svg (not read)",
    "x.npy": ".npy (not read)",
    ".hidden.png": "hidden",
    "more/x.png": "in deeper folders of classes",
    "x.heic": ".heic (not read)",
}


@pytest.mark.parametrize(("name", "kind"), LEFT_OUT.items())
def test_other_files_are_counted(root, name, kind):
    path = root / "train" / "cat" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"no image")
    files = list_files(root, "train")
    assert len(files.paths) == 4 and files.left_out == {kind: 1}
    assert files.summary().endswith(f"1 file left out: 1 {kind}")


def test_camera_files_are_not_read_as_their_previews(root):
    """They are TIFF files, whose first image is a thumbnail."""
    save(root / "train" / "cat" / "x.NEF", "TIFF")
    assert list_files(root, "train").left_out == {".nef (raw files of cameras)": 1}


def test_eps_is_not_read(root):
    save(root / "train" / "cat" / "x.eps", "EPS")
    save(root / "train" / "cat" / "x", "EPS")
    assert list_files(root, "train").left_out == {
        ".eps (not read)": 1,
        "without an ending (not images)": 1,
    }


@pytest.mark.parametrize("name", ["._0.png", ".DS_Store", "Thumbs.db", "__MACOSX/0.png"])
def test_what_systems_leave_behind_is_ignored(root, name):
    path = root / "train" / "cat" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    assert list_files(root, "train").left_out == {}


def test_files_next_to_the_classes(root):
    save(root / "train" / "lost.png")
    assert list_files(root, "train").left_out == {"next to the class folders": 1}


def test_the_summary_names_the_most_frequent_kinds(root):
    for number in range(7):
        for index in range(number + 1):
            (root / "train" / "dog" / f"{index}.e{number}").write_bytes(b"x")
    summary = list_files(root, "train").summary()
    assert "28 files left out: 7 .e6 (not read), 6 .e5 (not read)" in summary
    assert summary.endswith(", 2 more kinds")


class TestDeeperFolders:
    def test_they_are_read_where_a_class_has_nothing_else(self, tmp_path):
        save(tmp_path / "train" / "cat" / "monday" / "1.png")
        save(tmp_path / "train" / "cat" / "sunday" / "late" / "2.png")
        save(tmp_path / "train" / "dog" / "0.png")
        files = list_files(tmp_path, "train")
        assert names(files) == ["cat/monday/1.png", "cat/sunday/late/2.png", "dog/0.png"]
        assert files.notes == (
            f"read from deeper folders: the images of 1 of 2 classes, such as {tmp_path}/train/cat",
        )

    def test_a_folder_of_images_goes_before_others(self, tmp_path):
        """As Tiny ImageNet has it; masks next to it are not images of the class."""
        for name in ("a", "b"):
            save(tmp_path / "train" / name / "images" / "0.png")
            save(tmp_path / "train" / name / "masks" / "0.png")
            (tmp_path / "train" / name / "boxes.txt").write_text("0.png 1 2 3 4")
        files = list_files(tmp_path, "train")
        assert names(files) == ["a/images/0.png", "b/images/0.png"]
        assert files.left_out == {"in deeper folders of classes": 2, ".txt (not read)": 2}

    def test_a_folder_with_the_name_of_an_image(self, root):
        (root / "train" / "cat" / "x.png").mkdir()
        save(root / "train" / "cat" / "x.png" / "0.png")
        assert list_files(root, "train").left_out == {"in deeper folders of classes": 1}


def test_a_class_without_images(root):
    for path in (root / "train" / "dog").iterdir():
        path.write_text("x")
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(
        DataError, match=r"train/dog: this class has no images \(2 \.txt \(not read"
    ):
        list_files(root, "train")


class TestAnnotations:
    @pytest.fixture
    def tiny(self, root):
        for index in range(3):
            save(root / "val" / "images" / f"{index}.JPEG", "JPEG")
        (root / "val" / "val_annotations.txt").write_text("2.JPEG\tcat\n0.JPEG\tdog\n")
        return root

    def test_files_and_labels(self, tiny):
        files = list_files(tiny, "test")
        assert names(files) == ["images/2.JPEG", "images/0.JPEG"]
        assert files.labels.tolist() == [0, 1]
        assert files.left_out == {"without an annotation": 1}
        assert "the classes of" in files.notes[0]

    def test_a_missing_file(self, tiny):
        (tiny / "val" / "images" / "0.JPEG").unlink()
        with pytest.raises(
            DataError, match=r"images/0\.JPEG: is listed .*, but is missing \(1 of 2"
        ):
            list_files(tiny, "test")


def test_a_part_is_chosen_by_seed(root):
    files = list_files(root, "train")
    paths, labels = choose_files(files, 2, seed=0)
    assert labels.tolist() == [0, 1] and set(paths) < set(files.paths)
    assert choose_files(files, None, seed=0)[0] == files.paths
