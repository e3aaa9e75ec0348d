"""Runs that were made with other images than those of today are noticed."""

import pytest
from PIL import Image

from nas.data import load_dataset
from nas.data.image_sets import fingerprint_of
from nas.errors import ConfigError, DataError
from nas.experiments.data import check_images
from nas.experiments.options import SweepSettings
from nas.experiments.run import plan_sweep


@pytest.fixture
def images(tmp_path):
    """Two classes of three images each."""
    folder = tmp_path / "images"
    for label, name in enumerate(("cat", "dog")):
        for index in range(3):
            path = folder / "train" / name / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (80 * label, 40 * index, 9)).save(path)
    return folder


@pytest.fixture
def sweep(tmp_path, images):
    """The settings of a sweep of which one search is finished."""
    settings = f"dataset: imagefolder\ndata: {images}\nimage_size: 8\nbatch_size: 2\n"
    (tmp_path / "search.yaml").write_text(settings)
    sweep = SweepSettings(
        spaces=("s2",), seeds=(0, 1), search=str(tmp_path / "search.yaml"), out=str(tmp_path / "w")
    )
    run = plan_sweep(sweep)[0]
    run.path.mkdir(parents=True)
    (run.path / "config.yaml").write_text(f"{settings}space: s2\nseed: 0\n")
    (run.path / "genotype.json").write_text("{}")
    now = load_dataset("imagefolder", images, split="train", image_size=8)
    (run.path / "data.json").write_text(fingerprint_of(train=now).to_json())
    return sweep


def rename_a_class(images):
    (images / "train" / "dog").rename(images / "train" / "wolf")


def add_an_image(images):
    Image.new("RGB", (8, 8)).save(images / "train" / "cat" / "new.png")


def remove_an_image(images):
    (images / "train" / "cat" / "0.png").unlink()


def replace_an_image(images):
    Image.new("RGB", (8, 8), "white").save(images / "train" / "cat" / "0.png")


def swap_two_images(images):
    a, b = (images / "train" / name / "0.png" for name in ("cat", "dog"))
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)


def add_a_class(images):
    (images / "train" / "owl").mkdir()
    Image.new("RGB", (8, 8)).save(images / "train" / "owl" / "0.png")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rename_a_class, "class 'dog' is gone; train: class 'wolf' is new"),
        (add_an_image, "class 'cat' has 4 images, had 3"),
        (remove_an_image, "class 'cat' has 2 images, had 3"),
        (replace_an_image, "class 'cat' has other images"),
        (swap_two_images, "class 'cat' has other images"),
        (add_a_class, "class 'owl' is new"),
    ],
)
def test_a_change_is_noticed(sweep, images, change, said):
    """Before anything runs; the run and what changed are named."""
    assert [run.state() for run in plan_sweep(sweep)] == ["finished", "missing"]
    change(images)
    with pytest.raises(ConfigError, match=r"s2-seed0: was run with other images") as error:
        plan_sweep(sweep)
    assert said in str(error.value)


def test_the_same_images_in_another_place(sweep, images, tmp_path):
    """Only the images count, not the folder."""
    images.rename(tmp_path / "moved")
    path = tmp_path / "search.yaml"
    path.write_text(path.read_text().replace(str(images), str(tmp_path / "moved")))
    assert plan_sweep(sweep)[0].state() == "finished"


def test_without_the_images_nothing_is_compared(sweep, images, tmp_path):
    """A finished run stays finished when its dataset is on another disk."""
    images.rename(tmp_path / "away")
    assert plan_sweep(sweep)[0].state() == "finished"


def test_damaged_images_are_named(sweep, images):
    """What cannot be read cannot be the same."""
    (images / "train" / "cat" / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"0\.png"):
        plan_sweep(sweep)


def test_runs_of_older_versions_have_nothing_to_compare(sweep, images):
    """They have no data.json, and no images are read for them."""
    run = plan_sweep(sweep)[0]
    (run.path / "data.json").unlink()
    replace_an_image(images)
    check_images([run])
