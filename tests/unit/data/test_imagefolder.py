"""A folder of images of one's own."""

import contextlib
import os
import warnings

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


@pytest.mark.parametrize("name", ["test", "val"])
def test_the_test_split_is_test_or_val(root, name):
    """Where only one of test/ and val/ is there, it is the test split."""
    (root / "test").rename(root / name)
    data = load(root, "test")
    assert torch.equal(data.images[1], pixels_of(picture(seed=110)))
    assert data.labels.tolist() == [0, 1]


def test_test_goes_before_val(root):
    """Where both are there, test/ is the test split and val/ is not looked at."""
    (root / "val" / "bird").mkdir(parents=True)
    assert torch.equal(load(root, "test").images[0], pixels_of(picture(seed=100)))


def test_training_never_opens_a_test_image(root, monkeypatch):
    """The training split is read although no test image can be, and opens only its own files."""
    for path in (root / "test").rglob("*.png"):
        path.write_bytes(b"no image")
    opened = []
    real = Image.open
    monkeypatch.setattr(Image, "open", lambda path: opened.append(path) or real(path))
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


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_any_mode_becomes_rgb(root, mode):
    """Grey, palette, transparent, CMYK and 16-bit images come out as the RGB they show."""
    if mode == "I;16":
        deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
        image, expected = Image.fromarray(deep), Image.fromarray((deep // 256).astype(np.uint8))
    else:
        image = picture().convert(mode)
        expected = image
    path = root / "train" / "cat" / "0.tiff"
    image.save(path)
    (root / "train" / "cat" / "0.png").unlink()
    assert torch.equal(load(root).images[0], pixels_of(expected))


def test_a_palette_with_transparency_is_read_in_silence(root):
    """PIL's warning about transparent palettes does not reach the user."""
    image = picture().convert("P")
    image.save(root / "train" / "cat" / "0.png", transparency=bytes(range(256)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(load(root).images[0], pixels_of(image))


def test_other_files_are_ignored(root):
    """Notes, hidden files and hidden folders beside the images do no harm."""
    (root / "train" / "notes.txt").write_text("x")
    (root / "train" / "cat" / "labels.csv").write_text("x")
    (root / "train" / "cat" / "._0.png").write_bytes(b"x")
    (root / "train" / ".cache").mkdir()
    assert len(load(root)) == 6


def test_upper_case_extensions_are_images(root):
    """A file IMAGE.JPEG is an image."""
    picture().save(root / "train" / "cat" / "IMAGE.JPEG", format="jpeg")
    assert len(load(root)) == 7


def test_max_images_chooses_before_decoding(root, monkeypatch):
    """Only the chosen files are opened, some of each class."""
    opened = []
    real = Image.open
    monkeypatch.setattr(Image, "open", lambda path: opened.append(path) or real(path))
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
    """Without --image_size the error names the flag."""
    with pytest.raises(DataError, match=r"--image_size is needed; .*--image_size 32"):
        load_dataset("imagefolder", "anywhere", split="train")


def test_no_such_folder(tmp_path):
    """A missing root is an error that shows the layout."""
    with pytest.raises(DataError, match=r"there is no folder .*nowhere; expected ROOT/train/"):
        load(tmp_path / "nowhere")


def test_no_train_folder(root):
    """A root without train/ is an error, for either split."""
    (root / "train").rename(root / "training")
    for split in ("train", "test"):
        with pytest.raises(DataError, match=r"has no folder `train`"):
            load(root, split)


def test_no_test_folder(root):
    """A missing test/ is an error for the test split alone."""
    (root / "test").rename(root / "tests")
    assert len(load(root)) == 6
    with pytest.raises(DataError, match=r"has no folder `test` or `val`"):
        load(root, "test")


def test_no_classes(tmp_path):
    """Images directly in train/ are no classes."""
    (tmp_path / "train").mkdir()
    picture().save(tmp_path / "train" / "0.png")
    with pytest.raises(DataError, match=r"train: holds no class folders; expected"):
        load(tmp_path)


def test_a_class_without_images(root):
    """A class that is left with nothing is an error that names its folder."""
    folder = root / "train" / "dog"
    for path in folder.iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(DataError, match=r"train/dog: this class has no images; .*\.jpg"):
        load(root)


@pytest.mark.parametrize("split", ["train", "test"])
def test_classes_that_differ(root, split):
    """Classes of one split alone are listed, when training too."""
    (root / "test" / "dog").rename(root / "test" / "dogs")
    with pytest.raises(DataError, match=r"'dog' only in train, 'dogs' only in test;"):
        load(root, split)


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


def test_a_folder_in_place_of_a_file(root):
    """A folder with an image's name cannot be read, whoever runs the program."""
    (root / "train" / "dog" / "folder.jpg").mkdir()
    with pytest.raises(DataError, match=r"dog/folder\.jpg: cannot be read as an image"):
        load(root)


class TestSkipCorrupt:
    @pytest.fixture
    def damaged(self, root):
        """Cut one image of each class short."""
        for name in ("cat", "dog"):
            path = root / "train" / name / "1.png"
            path.write_bytes(path.read_bytes()[:60])
        return root

    def test_without_the_flag_it_is_an_error_that_counts(self, damaged):
        with pytest.raises(DataError, match=r"cat/1\.png: .*--skip_corrupt \(2 of 6 images are"):
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
        assert not any("--skip_corrupt" in problem for problem in data.skipped)

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
