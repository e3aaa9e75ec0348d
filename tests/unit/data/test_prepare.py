"""Single images are prepared as the loaders of an evaluation prepare them."""

import numpy
import pytest
import torch
from PIL import Image

from nas.config import AugmentConfig, resolved
from nas.data.from_config import eval_loader, load_split
from nas.data.prepare import dataset_info, prepare_images
from nas.errors import DataError
from nas.runtime.compute import Compute

CPU = Compute(torch.device("cpu"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    generator = numpy.random.default_rng(0)
    for split in ("train", "test"):
        for name, size in (("cat", (40, 31)), ("dog", (33, 70))):
            (root / split / name).mkdir(parents=True)
            pixels = generator.integers(0, 255, (*size, 3), dtype=numpy.uint8)
            Image.fromarray(pixels).save(root / split / name / "1.png")
    return root


@pytest.mark.parametrize("dataset", ["imagefolder", "imagenet"])
def test_files_are_prepared_as_in_an_evaluation(root, dataset):
    """Paths, PIL images and tensors of the same pixels give the batch of the loader."""
    workers = 0 if dataset == "imagenet" else None
    settings = {"data": str(root), "image_size": 32, "workers": workers}
    config = resolved(AugmentConfig(dataset=dataset, **settings))
    images = load_split(config, "test")
    expected, _ = next(iter(eval_loader(images, torch.arange(2), config, CPU)))
    paths = [root / "test" / name / "1.png" for name in ("cat", "dog")]
    opened = [Image.open(path).convert("RGB") for path in paths]
    tensors = [torch.from_numpy(numpy.array(image)).permute(2, 0, 1) for image in opened]
    info = dataset_info(dataset, ("cat", "dog"), 32)
    assert (info.mean, info.std) == (images.info.mean, images.info.std)
    for given in (paths, [str(path) for path in paths], opened, tensors):
        assert torch.equal(prepare_images(given, info), expected)
        assert torch.equal(prepare_images(given[1], info), expected[1:])


def test_the_embedded_dataset_is_prepared_as_in_an_evaluation():
    config = resolved(AugmentConfig(dataset="shapes"))
    images = load_split(config, "test")
    expected, _ = next(iter(eval_loader(images, torch.arange(5), config, CPU)))
    info = dataset_info("shapes", images.info.class_names)
    assert info == images.info
    assert torch.equal(prepare_images(images.images[:5], info), expected)


def test_gray_images_become_rgb():
    info = dataset_info("cifar10", ("a", "b"))
    gray = torch.arange(32 * 32, dtype=torch.int64).remainder(256).to(torch.uint8).view(1, 32, 32)
    expected = prepare_images(gray.expand(3, -1, -1), info)
    assert torch.equal(prepare_images(gray, info), expected)
    assert torch.equal(prepare_images(Image.fromarray(gray[0].numpy()), info), expected)
    assert info.image_size == 32 and dataset_info("imagenet", ("a",)).image_size == 224


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 8, 8), r"a tensor of torch.float32 and shape \(3, 8, 8\); expected uint8"),
        (torch.zeros(8, 8, 3, dtype=torch.uint8), r"shape \(8, 8, 3\); expected uint8"),
        (torch.zeros(2, 4, 8, 8, dtype=torch.uint8), r"shape \(4, 8, 8\)"),
        ([], "found none"),
        ([3], "images: found int; expected a PIL image"),
        ("absent.png", "absent.png: cannot be read as an image"),
    ],
)
def test_other_inputs_are_refused(images, message):
    with pytest.raises(DataError, match=message):
        prepare_images(images, dataset_info("cifar10", ("a", "b")))
