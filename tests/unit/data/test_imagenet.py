"""Batches of image files: the recipe's transforms, exact resume, clear errors."""

import shutil

import numpy
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as F
from torchvision.transforms import v2

from nas.data import FileLoader, load_imagenet
from nas.data.imagenet import eval_transform, train_transform
from nas.errors import CheckpointError, DataError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two classes of seven images of several sizes, train and val."""
    root = tmp_path_factory.mktemp("imagenet")
    generator = numpy.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("n01", "n02"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(7):
                size = (40 + 5 * index, 60 - 3 * index, 3)
                pixels = generator.integers(0, 255, size, dtype=numpy.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.JPEG", quality=95)
    return root


def files(root, split="train"):
    return load_imagenet(root, split=split, image_size=32, max_images=None, seed=0)


def loader(root, **settings):
    found = files(root)
    settings = {
        "transform": train_transform(found.info, 0.4),
        "shuffle": True,
        "seed": 3,
    } | settings
    return FileLoader(found, 4, **settings)


def equal(first, second):
    return len(first) == len(second) and all(
        torch.equal(x, y) and torch.equal(t, s)
        for (x, t), (y, s) in zip(first, second, strict=True)
    )


def test_evaluation_is_short_side_then_centre(root):
    """32 / 0.875 = 37, centre 32, normalised: as torchvision's functions do it."""
    found = files(root, "test")
    image = Image.open(found.paths[3])
    resized = F.center_crop(F.resize(image, 37), 32)
    expected = F.normalize(F.to_tensor(resized), found.info.mean, found.info.std)
    assert torch.allclose(eval_transform(found.info)(image), expected, atol=1e-6)
    assert load_imagenet(root, split="test", image_size=None, max_images=None, seed=0).info
    assert found.info.class_names == ("n01", "n02") and found.labels.tolist() == [0] * 7 + [1] * 7


def test_training_is_the_recipe(root):
    """Random resized crop, flip, jitter, in this order, and the jitter only when asked for."""
    kinds = [type(step) for step in train_transform(files(root).info, 0.4).transforms]
    assert kinds[:3] == [v2.RandomResizedCrop, v2.RandomHorizontalFlip, v2.ColorJitter]
    crop, _, jitter = train_transform(files(root).info, 0.4).transforms[:3]
    assert crop.scale == (0.08, 1.0) and crop.size == (32, 32)
    assert tuple(jitter.brightness) == (0.6, 1.4) and tuple(jitter.hue) == (-0.2, 0.2)
    assert v2.ColorJitter not in [type(s) for s in train_transform(files(root).info).transforms]


def test_an_epoch_has_every_image_once_in_a_new_order(root):
    found = loader(root)
    first, second = [*found], [*found]
    for epoch in (first, second):
        assert [len(y) for _, y in epoch] == [4, 4, 4, 2]
        assert torch.cat([y for _, y in epoch]).bincount().tolist() == [7, 7]
    assert not equal(first, second)


def test_workers_change_nothing(root):
    """The random numbers belong to the image, not to the process."""
    assert equal([*loader(root)], [*loader(root, num_workers=2)])


def test_resume_in_an_epoch(root):
    """What follows a saved place is the same, to the last bit."""
    reference = loader(root)
    whole = [*reference, *reference]
    stopped = loader(root)
    batches = iter(stopped)
    begun = [next(batches), next(batches)]
    resumed = loader(root)
    resumed.load_state_dict(stopped.state_dict())
    assert equal([*begun, *resumed, *resumed], whole)
    with pytest.raises(CheckpointError, match="num_images 13"):
        resumed.load_state_dict(stopped.state_dict() | {"num_images": 13})


def test_the_global_generator_is_left_alone(root):
    before = torch.get_rng_state()
    [*loader(root)]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_damaged_image_is_named(root, tmp_path, num_workers):
    """In one line, also from a worker process."""
    found = files(root)
    broken = tmp_path / "broken.JPEG"
    broken.write_bytes(b"\xff\xd8 no image")
    found = type(found)(found.info, [*found.paths[:-1], broken], found.labels)
    with pytest.raises(DataError, match=r"^\S*broken\.JPEG: cannot be read as an image .*$"):
        [
            *FileLoader(
                found,
                4,
                transform=eval_transform(found.info),
                shuffle=False,
                seed=0,
                num_workers=num_workers,
            )
        ]


def test_damaged_images_are_left_out_when_asked(root, tmp_path):
    """Before training, with the labels of the others; every epoch has what is left."""
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    path = copy / "train" / "n01" / "3.JPEG"
    path.write_bytes(path.read_bytes()[:300])
    found = load_imagenet(
        copy, split="train", image_size=32, max_images=None, seed=0, skip_corrupt=True
    )
    assert len(found.skipped) == 1 and found.skipped[0].startswith(f"{path}: cannot be read")
    assert found.labels.tolist() == [0] * 6 + [1] * 7 and path not in found.paths
    batches = FileLoader(found, 4, transform=eval_transform(found.info), shuffle=True, seed=0)
    assert torch.cat([y for _, y in batches]).bincount().tolist() == [6, 7]


def test_classes_that_differ(root, tmp_path):
    """The names that are in one of train/ and val/ alone are in the message."""
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    (copy / "val" / "n02").rename(copy / "val" / "n03")
    assert files(copy).info.class_names == ("n01", "n02")  # a search reads no other split
    with pytest.raises(DataError, match="only in train: 'n02'; only in val: 'n03'"):
        files(copy, "test")
