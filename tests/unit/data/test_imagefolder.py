"""A folder of your own images, decoded into memory."""

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from nas.data import imagefolder, load_dataset
from nas.errors import DataError
from nas.runtime import memory


def picture(width=8, height=8, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def pixels_of(image):
    return torch.from_numpy(np.asarray(image.convert("RGB")).transpose(2, 0, 1).copy())


@pytest.fixture
def root(tmp_path):
    """Lay out two classes with three images to train on and one to test on."""
    for split, num in (("train", 3), ("test", 1)):
        for label, name in enumerate(("cat", "dog")):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for index in range(num):
                picture(seed=100 * (split == "test") + 10 * label + index).save(
                    folder / f"{index}.png"
                )
    return tmp_path


def load(root, split="train", image_size=8, **options):
    return load_dataset("imagefolder", root, split=split, image_size=image_size, **options)


def test_a_folder_is_read_in_order(root):
    """Classes and files come in order of name, pixels unchanged where the size fits."""
    data = load(root)
    assert data.info.class_names == ("cat", "dog")
    assert (data.info.num_classes, data.info.channels, data.info.image_size) == (2, 3, 8)
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    for index, seed in enumerate((0, 1, 2, 10, 11, 12)):
        assert torch.equal(data.images[index], pixels_of(picture(seed=seed)))


def test_training_never_opens_a_test_image(root, monkeypatch):
    """The training split is read although no test image can be, and opens only its own files."""
    for path in (root / "test").rglob("*.png"):
        path.write_bytes(b"no image")
    opened = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path) or real(path))
    assert len(load(root)) == len(opened) == 6
    assert all(path.is_relative_to(root / "train") for path in opened)
    with pytest.raises(DataError, match="cannot be read as an image"):
        load(root, "test")


@pytest.mark.parametrize(
    ("width", "height"), [(16, 16), (20, 11), (11, 20), (5, 5), (8, 9), (9, 8), (3, 40), (100, 37)]
)
def test_other_sizes_are_resized_and_cropped_as_torchvision_does(tmp_path, width, height):
    """Resizing is torchvision's Resize and CenterCrop on a PIL image, larger or smaller."""
    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
        picture(width, height).save(tmp_path / "train" / name / "x.png")
    reference = v2.Compose([v2.Resize(8), v2.CenterCrop(8)])
    assert torch.equal(load(tmp_path).images[0], pixels_of(reference(picture(width, height))))


def test_max_images_chooses_before_decoding(root, monkeypatch):
    """Only the chosen files are opened, some of each class."""
    opened = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path) or real(path))
    data = load(root, max_images=4)
    assert len(opened) == 4
    assert data.labels.tolist() == [0, 0, 1, 1]
    full = load(root).images
    assert all(any(torch.equal(image, other) for other in full) for image in data.images)


@pytest.mark.parametrize(("num", "message"), [(7, "there are 6 images"), (1, "2 classes")])
def test_max_images_out_of_range(root, num, message):
    """More images than there are, or fewer than classes, is an error with the number."""
    with pytest.raises(DataError, match=message):
        load(root, max_images=num)


def test_image_size_is_required():
    """Without image_size the error says what to give."""
    with pytest.raises(DataError, match=r"^image_size: .* a size is needed; .* such as 32"):
        load_dataset("imagefolder", "anywhere", split="train")


def test_a_damaged_jpeg(root):
    """A JPEG that breaks off in the middle is an error that names the file."""
    path = root / "train" / "dog" / "broken.jpg"
    picture(64, 64).save(path)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(DataError, match=r"dog/broken\.jpg: cannot be read as an image .*truncated"):
        load(root)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_file_that_is_no_image(root, content):
    """An image's name on something else is an error that names the file."""
    (root / "train" / "dog" / "fake.png").write_bytes(content)
    with pytest.raises(DataError, match=r"dog/fake\.png: cannot be read as an image"):
        load(root)


def save_deep(root, values, split="train"):
    """Replace the images of a class by 16-bit ones with the given largest values."""
    for path in (root / split / "cat").iterdir():
        path.unlink()
    for index, largest in enumerate(values):
        ramp = np.linspace(0, largest, 64).round().astype(np.uint16).reshape(8, 8)
        Image.fromarray(ramp).save(root / split / "cat" / f"{index}.png")


class TestDeepImages:
    def test_all_images_of_a_dataset_have_one_range(self, root, caplog):
        """A dark image stays dark: 1000 of 4095 is 62 of 255, not white."""
        save_deep(root, (4000, 1000))
        caplog.set_level("INFO", "nas")
        data = load(root)
        assert data.info.value_range == 4095
        assert data.images[0].max() == round(4000 * 255 / 4095)
        assert data.images[1].max() == round(1000 * 255 / 4095)
        assert "2 gray images have more than 8 bits; their values 0 to 4095" in caplog.text

    def test_the_range_of_the_training_images_holds_for_others(self, root):
        save_deep(root, (4000, 1000))
        save_deep(root, (900,), "test")
        assert load(root, "test").info.value_range == 1023
        given = load(root, "test", value_range=4095)
        assert given.info.value_range == 4095
        assert given.images[0].max() == round(900 * 255 / 4095)
        with pytest.raises(DataError, match=r"0\.png: its mode is I;16 with values up to 900, but"):
            load(root, "test", value_range=255)

    def test_other_images_are_as_before(self, root):
        expected = load(root).images[3:]
        save_deep(root, (60_000,))
        assert torch.equal(load(root).images[1:], expected)

    def test_integers_and_floats_have_no_common_range(self, root):
        save_deep(root, (4000,))
        Image.fromarray(np.eye(8, dtype=np.float32)).save(root / "train" / "dog" / "x.tif")
        with pytest.raises(DataError, match="some images are float and others have 16 or 32 bits"):
            load(root)


class TestWarnings:
    @pytest.fixture
    def warned(self, root, caplog):
        def warned(**options):
            load(root, **options)
            return [
                record.getMessage() for record in caplog.records if record.levelname == "WARNING"
            ]

        return warned

    def test_nothing_is_said_about_good_images(self, warned):
        assert warned() == []

    def test_images_of_one_color(self, root, warned):
        """Values of a mask, 0 and 1, are a black picture; the files are named."""
        for path in sorted(root.rglob("train/*/*.png")):
            Image.fromarray(np.eye(8, dtype=np.uint8)).save(path)
        (text,) = warned()
        assert text.startswith("warning: all images that were looked at are (nearly) one color: ")
        assert str(root / "train" / "cat" / "0.png") in text

    @pytest.mark.parametrize(("num_blank", "is_said"), [(1, False), (3, True)])
    def test_a_few_blank_images_are_no_reason(self, root, warned, num_blank, is_said):
        for index in range(20):
            picture(seed=index + 50).save(root / "train" / "cat" / f"more{index}.png")
        for index in range(num_blank):
            Image.new("RGB", (8, 8), "white").save(root / "train" / "dog" / f"{index}.png")
        assert bool(warned()) is is_said

    def test_the_sides_of_narrow_images_are_lost(self, root, warned):
        picture(100, 20).save(root / "train" / "dog" / "0.png")
        (text,) = warned()
        assert "more than twice as long as wide: 1 files" in text and "dog/0.png" in text

    def test_more_frames(self, root, caplog):
        caplog.set_level("INFO", "nas")
        frames = [picture(seed=seed).quantize(32) for seed in (1, 2)]
        frames[0].save(root / "train" / "dog" / "0.gif", save_all=True, append_images=frames[1:])
        data = load(root)
        assert "1 file has more than one frame or page, of which the first is read" in caplog.text
        assert torch.equal(data.images[3], pixels_of(frames[0]))


class TestSkipCorrupt:
    @pytest.fixture
    def damaged(self, root):
        """Cut one image of each class short."""
        for name in ("cat", "dog"):
            path = root / "train" / name / "1.png"
            path.write_bytes(path.read_bytes()[:60])
        return root

    def test_without_the_flag_it_is_an_error_that_counts(self, damaged):
        with pytest.raises(DataError, match=r"cat/1\.png: .*`skip_corrupt` \(2 of 6 images are"):
            load(damaged)

    def test_the_others_are_left(self, damaged):
        """In order, with their own labels; what was left out is named with the reason."""
        data = load(damaged, skip_corrupt=True)
        assert data.labels.tolist() == [0, 0, 1, 1]
        for image, seed in zip(data.images, (0, 2, 10, 12), strict=True):
            assert torch.equal(image, pixels_of(picture(seed=seed)))
        assert [problem.partition(": ")[0] for problem in data.skipped] == [
            str(damaged / "train" / name / "1.png") for name in ("cat", "dog")
        ]
        assert all("cannot be read as an image (" in problem for problem in data.skipped)
        assert not any("skip_corrupt" in problem for problem in data.skipped)

    def test_nothing_is_skipped_that_can_be_read(self, root):
        data = load(root, skip_corrupt=True)
        assert data.skipped == () and torch.equal(data.images, load(root).images)

    def test_a_class_without_one_good_image(self, damaged):
        for index in (0, 2):
            (damaged / "train" / "dog" / f"{index}.png").write_bytes(b"")
        with pytest.raises(DataError, match="no image of the class 'dog' can be read"):
            load(damaged, skip_corrupt=True)


@contextlib.contextmanager
def unprivileged():
    """Be an ordinary user for a while: root may read whatever the permissions say."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("train", "^train: this folder cannot be read .Permission denied"),
        ("train/cat", "^train/cat: this folder cannot be read .Permission denied"),
        (".", r"^\.: cannot be looked at .Permission denied"),
        ("train/cat/0.png", r"^train/cat/0\.png: cannot be read as an image .*Permission denied"),
    ],
)
def test_what_may_not_be_read(root, monkeypatch, place, message):
    """A folder or a file without permission is an error that names it."""
    # By relative paths, since the folders above belong to whoever runs the tests.
    monkeypatch.chdir(root)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755)
    with unprivileged():
        assert len(load(".")) == 6
    (root / place).chmod(0)
    try:
        with unprivileged(), pytest.raises(DataError, match=message):
            load(".")
    finally:
        (root / place).chmod(0o755)


def test_a_set_larger_than_memory_is_refused(root, monkeypatch):
    """Images that would fill half of the memory are refused before one is opened."""
    monkeypatch.setattr(memory, "physical_memory", lambda: 2 * 6 * 3 * 8 * 8)
    assert len(load(root)) == 6
    monkeypatch.setattr(memory, "physical_memory", lambda: 2 * 6 * 3 * 8 * 8 - 2)
    monkeypatch.setattr(imagefolder, "read_all", lambda *_: pytest.fail("decoded"))
    with pytest.raises(DataError, match=r"6 images of 8 x 8 .*lower image_size or max_images"):
        load(root)
