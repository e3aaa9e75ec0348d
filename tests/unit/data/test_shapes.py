"""The drawn set: deterministic, balanced, and out of reach of a linear classifier."""

import hashlib

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nas.data import EvalTransform, load_dataset
from nas.data.shapes.dataset import NUM_IMAGES, SHAPES, draw_shapes
from nas.errors import DataError
from nas.runtime import memory

CHECKSUMS = {
    ("train", 32): "ea73373585764445",
    ("test", 32): "7c8c5be4cbf20f00",
    ("train", 64): "a35277c81cbf86ee",
}


@pytest.mark.parametrize(("split", "size"), CHECKSUMS)
def test_the_pictures_are_the_stored_ones(split, size):
    """The first 20 images of a split are the same on every platform and in every release."""
    images = draw_shapes(np.arange(20), split, image_size=size)
    assert hashlib.sha256(images.tobytes()).hexdigest()[:16] == CHECKSUMS[split, size]


def test_an_image_does_not_depend_on_the_others():
    """Image i is the same drawn alone, in any order, or among many."""
    many = draw_shapes(np.arange(300), "train")
    chosen = np.array([299, 0, 17, 128, 127])
    assert np.array_equal(draw_shapes(chosen, "train"), many[chosen])
    assert np.array_equal(draw_shapes(np.array([200]), "train"), many[200:201])


def test_no_image_comes_twice():
    """All images differ, within a split, between the splits and between seeds."""
    sets = [
        draw_shapes(np.arange(500), split, seed=seed)
        for split, seed in (("train", 0), ("test", 0), ("train", 1), ("test", 1))
    ]
    assert len({image.tobytes() for images in sets for image in images}) == 2000


def test_max_images_is_a_stratified_part():
    """A part is balanced and consists of images of the whole split, with their labels."""
    part = load_dataset("shapes", split="test", max_images=200, seed=3)
    whole = load_dataset("shapes", split="test")
    assert len(whole) == NUM_IMAGES["test"]
    assert part.labels.bincount().tolist() == [20] * 10
    places = {image.numpy().tobytes(): index for index, image in enumerate(whole.images)}
    for image, label in zip(part.images, part.labels.tolist(), strict=True):
        assert whole.labels[places[image.numpy().tobytes()]] == label


def test_more_than_there_are_is_an_error():
    """The set has 10,000 training images and says so."""
    with pytest.raises(DataError, match="there are 10000 images"):
        load_dataset("shapes", split="train", max_images=10_001)


def test_a_size_that_does_not_fit_is_refused(monkeypatch):
    """The memory guard stands before the drawing too."""
    monkeypatch.setattr(memory, "physical_memory", lambda: 2**30)
    with pytest.raises(DataError, match="lower image_size or max_images"):
        load_dataset("shapes", split="train", image_size=512)


def test_other_sizes_show_the_same_pictures():
    """At 64 pixels an image is the one at 32, drawn finer: only noise and edges differ."""
    small = torch.from_numpy(draw_shapes(np.arange(40), "train")).float()
    large = torch.from_numpy(draw_shapes(np.arange(40), "train", image_size=64)).float()
    assert large.shape == (40, 3, 64, 64)
    difference = (F.avg_pool2d(large, 2) - small).abs().mean((1, 2, 3))
    other = (F.avg_pool2d(large, 2).roll(10, 0) - small).abs().mean((1, 2, 3))
    assert (difference < 25).all()
    assert other.mean() > 3 * difference.mean()


def test_the_stated_mean_and_std_are_those_of_the_images():
    """The constants of the info are the training set's, to within a sample's error."""
    data = load_dataset("shapes", split="train", max_images=2000)
    pixels = data.images.double() / 255
    assert pixels.mean((0, 2, 3)).tolist() == pytest.approx(SHAPES.mean, abs=0.008)
    assert pixels.std((0, 2, 3)).tolist() == pytest.approx(SHAPES.std, abs=0.005)


def test_colour_says_nothing_about_the_class():
    """The mean colour of the images is the same for every class, to within chance."""
    data = load_dataset("shapes", split="train", max_images=5000)
    colors = data.images.double().mean((2, 3)) / 255
    means = torch.stack([colors[data.labels == label].mean(0) for label in range(10)])
    error = colors.std(0) / 500**0.5
    assert ((means - colors.mean(0)).abs() < 4.5 * error).all()


def test_a_linear_classifier_stays_under_45_percent():
    """Least squares on the pixels, fitted exactly, stays far below what the set allows."""
    train = load_dataset("shapes", split="train", max_images=2500)
    test = load_dataset("shapes", split="test", max_images=1000)
    normalize = EvalTransform(SHAPES)
    pixels, held_out = normalize(train.images).flatten(1), normalize(test.images).flatten(1)
    targets = F.one_hot(train.labels, 10).float() - 0.1
    best = 0.0
    for penalty in (1e2, 1e3, 1e4):
        # Ridge regression in its dual form: w = X' (X X' + penalty)^-1 t
        kernel = pixels @ pixels.T + penalty * torch.eye(len(pixels))
        weights = pixels.T @ torch.linalg.solve(kernel, targets)
        fitted = ((pixels @ weights).argmax(1) == train.labels).double().mean().item()
        assert fitted > 0.4  # the fit is real: it does better on what it has seen
        best = max(best, ((held_out @ weights).argmax(1) == test.labels).double().mean().item())
    assert best < 0.35
