"""Images that a calibration and a check are made with."""

import dataclasses

import pytest
import torch
from PIL import Image

from nas.deploy.images import LabeledImages, batches_of, sample_images
from nas.errors import DataError
from tests.unit.deploy.networks import METADATA

SHAPES = dataclasses.replace(METADATA, model={"model": "small", "num_classes": 10})


def labels_of(max_images, seed=0):
    loader = LabeledImages(SHAPES, None, max_images=max_images, seed=seed).train()
    return torch.cat([labels for _, labels in loader]).tolist()


def test_fewer_images_than_classes():
    """Each is of another class, and the seed says which; no class of the network is a condition."""
    for num_images in (1, 4, 9):
        found = labels_of(num_images)
        assert len(found) == len(set(found)) == num_images
    assert (
        labels_of(4) == labels_of(4) and len({tuple(labels_of(4, seed)) for seed in range(5)}) > 1
    )


def test_more_images_than_classes():
    """The same share of each class."""
    assert sorted(labels_of(20)) == [label for label in range(10) for _ in range(2)]


def test_more_images_than_there_are():
    """The setting that is named is that of the program."""
    images = LabeledImages(SHAPES, None, max_images=10_001)
    with pytest.raises(DataError, match=r"^calibration_images: found 10001, but there are 10000"):
        images.train()


def test_a_single_test_image_is_no_batch(tmp_path):
    """A check needs two."""
    for split in ("train", "test"):
        (tmp_path / split / "cat").mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / split / "cat" / "0.png")
    metadata = dataclasses.replace(METADATA, dataset="imagefolder", classes=["cat"])
    with pytest.raises(DataError, match=r"has 1 test image, .* at least 2"):
        sample_images(metadata, 8, str(tmp_path))
    for name in ("1", "2"):
        Image.new("RGB", (32, 32)).save(tmp_path / "test" / "cat" / f"{name}.png")
    assert sample_images(metadata, 8, str(tmp_path)).shape == (3, 3, 32, 32)
    assert len(list(batches_of(LabeledImages(metadata, str(tmp_path)).test()))) == 1


def test_another_folder_than_the_networks():
    """That its classes are others is said before that they are too few."""
    other = dataclasses.replace(SHAPES, model={"model": "small", "num_classes": 20_000})
    with pytest.raises(DataError, match="classes"):
        LabeledImages(other, None, max_images=500).train()
