"""VOC folders: what is read, what is refused and how it is said, and the augmentation."""

import pytest
import torch

from nas.data.epochs import Rounds
from nas.data.file_loader import SampleLoader
from nas.data.fingerprint import VOC, Fingerprint
from nas.data.voc import TestSamples, TrainSamples, eval_transform, load_voc, train_transform
from nas.distributed.launch import WHOLE
from nas.errors import DataError
from tests.unit.detect.voc_folder import annotation, small_voc, write_voc

BOMB = """<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><annotation>&b;</annotation>"""
GOOD = annotation(("cat", (1, 1, 32, 24)))


def test_boxes_classes_and_difficult(tmp_path):
    """Pixels from 1 with both ends become edges from 0; classes are sorted."""
    found = load_voc([small_voc(tmp_path)], "trainval")
    assert found.classes == ("cat", "dog") and len(found) == 4 and found.num_objects == 5
    first = found.images[0]
    size = torch.tensor([64, 48, 64, 48])
    assert (first.boxes * size).tolist() == [[0, 0, 32, 24], [19, 9, 64, 48]]
    assert found.images[2].difficult.tolist() == [False, True]
    assert found.images[3].boxes.shape == (0, 4)


def test_split_files(tmp_path):
    """Line ends of Windows, trailing labels, a byte order mark, empty lines and repeats."""
    folder = write_voc(
        tmp_path, {"a": GOOD, "b 1": GOOD}, windows="\ufeffa\r\nb 1\r\n\r\n", labels="a  1\na -1\n"
    )
    assert [image.path.stem for image in load_voc([folder], "windows").images] == ["a", "b 1"]
    assert [image.path.stem for image in load_voc([folder], "labels").images] == ["a"]


def test_two_folders_are_joined(tmp_path):
    """The images of both, with one list of classes."""
    folders = [
        write_voc(tmp_path / name, {"a": annotation((name, (1, 1, 9, 9)))}, trainval="a")
        for name in ("x", "y")
    ]
    found = load_voc(folders, "trainval")
    assert found.classes == ("x", "y")
    assert [image.labels.tolist() for image in found.images] == [[0], [1]]


def test_fingerprint(tmp_path):
    """It changes with boxes, and with images that have none; objects are what it counts."""
    small = small_voc(tmp_path / "a")
    before = load_voc([small], "trainval").fingerprint()
    assert {name: item.num_images for name, item in before.items()} == {
        "cat": 3,
        "dog": 2,
        "(no object)": 1,
    }
    main = small / "ImageSets" / "Main" / "trainval.txt"
    main.write_text("a\nb\nc\n")
    one, other = (
        Fingerprint(VOC, 320, None, {"train": found})
        for found in (before, load_voc([small], "trainval").fingerprint())
    )
    assert one.changes_to(other) == ["train: class '(no object)' is gone"]
    main.write_text("a\nc\nd\n")
    (change,) = one.changes_to(
        Fingerprint(VOC, 320, None, {"train": load_voc([small], "trainval").fingerprint()})
    )
    assert change == "train: class 'cat' has 2 objects, had 3"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (annotation(("cat", (1, 1, 65, 24))), "outside of the image of 64 x 48"),
        (annotation(("cat", (5, 1, 5, 24))), "has no area"),
        (annotation(("cat", (9, 1, 5, 24))), "corners swapped"),
        (annotation(("cat", ("nan", 1, 5, 24))), "xmin: expected a number, found 'nan'"),
        ("<annotation><object>", "is not XML"),
        (BOMB, "refused"),
        ("<annotation><object/></annotation>", "has no name"),
        (annotation(("cat", (1, 1, 5, 5), 7)), "difficult: expected 0 or 1"),
        (annotation(("cat", (1, 1, 5, 5)), size=(48, 64)), "its annotation says 48 x 64"),
        (annotation(("cat", (1, 1, 65, 5)), size=("9" * 5000, 48)), "outside of the image"),
    ],
)
def test_bad_annotations(tmp_path, text, words):
    """One line that names the file; with `skip_corrupt` the rest is read and it is counted."""
    folder = write_voc(tmp_path, {"a": text, "b": GOOD}, trainval="a\nb\n")
    with pytest.raises(DataError, match=words) as error:
        load_voc([folder], "trainval")
    assert "a.xml" in str(error.value) or "a.jpg" in str(error.value)
    assert "skip_corrupt" in str(error.value)
    found = load_voc([folder], "trainval", skip_corrupt=True)
    assert len(found.skipped) == 1 and found.num_objects == 1


def test_missing_files(tmp_path):
    """An image, an annotation, a split, a folder; an empty split; an unknown class."""
    folder = write_voc(tmp_path, {"a": GOOD, "b": GOOD}, trainval="a\nb", empty="\n", gone="x\n")
    (folder / "JPEGImages" / "a.jpg").unlink()
    with pytest.raises(DataError, match=r"a\.jpg: the image does not exist"):
        load_voc([folder], "trainval")
    (folder / "JPEGImages" / "a.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a\.jpg: cannot be read as an image"):
        load_voc([folder], "trainval")
    assert len(load_voc([folder], "trainval", skip_corrupt=True)) == 1
    (folder / "JPEGImages" / "a.jpg").write_bytes(
        (folder / "JPEGImages" / "b.jpg").read_bytes()[:700]
    )  # its header is whole
    found = load_voc([folder], "trainval", skip_corrupt=True)
    assert len(found) == 1 and "skip_corrupt" not in found.skipped[0]
    for split, words in (
        ("gone", "x.xml: the annotation cannot be read"),
        ("empty", "is empty"),
        ("val", "its splits are empty, gone, trainval"),
    ):
        with pytest.raises(DataError, match=words):
            load_voc([folder], split)
    (folder / "ImageSets" / "Main" / "wide.txt").write_bytes("b\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"wide\.txt is not text in UTF-8; save it as UTF-8"):
        load_voc([folder], "wide")
    with pytest.raises(DataError, match="is no VOC folder"):
        load_voc([tmp_path / "nothing"], "trainval")
    with pytest.raises(DataError, match=r"class 'cat', which is not in the list of classes"):
        load_voc([folder], "trainval", ["cats", "dog"], skip_corrupt=True)


def test_augmented_samples(tmp_path):
    """Boxes stay in the image, difficult objects are left out, and seeds repeat everything."""
    found = load_voc([small_voc(tmp_path)], "trainval")

    def encode(boxes, labels):
        assert boxes.min() >= 0 and boxes.max() <= 1 if len(boxes) else True
        return torch.tensor([len(labels), labels.sum()])

    samples = TrainSamples(found, train_transform(32), encode)
    assert samples[3][1].tolist() == [0, 0]
    assert all(samples[2][1][0] <= 1 for _ in range(5))

    def batches():
        epochs = Rounds(len(found), 3, 5, WHOLE)
        return list(SampleLoader(samples, epochs, seed=3))

    first, again = batches(), batches()
    assert len(first) == 5 and first[0][0].shape == (3, 3, 32, 32)
    for (images, targets), (images_again, targets_again) in zip(first, again, strict=True):
        assert torch.equal(images, images_again) and torch.equal(targets, targets_again)


def test_test_samples(tmp_path):
    """Whole images and their indices."""
    samples = TestSamples(load_voc([small_voc(tmp_path)], "test"), eval_transform(32))
    assert [int(samples[i][1]) for i in range(2)] == [0, 1]
    assert samples[0][0].shape == (3, 32, 32)
