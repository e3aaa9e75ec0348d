"""Seeded, class-stratified choices."""

import math

import pytest
import torch

from nas.data import stratified_split, stratified_subset
from nas.errors import DataError

UNEVEN = torch.tensor([0] * 41 + [1] * 7 + [2] * 113 + [3] * 2)


def counts(labels, chosen, num_classes=4):
    return labels[chosen].bincount(minlength=num_classes).tolist()


@pytest.mark.parametrize("fraction", [0.5, 0.1, 0.29, 1 / 3, 0.9, 0.77])
@pytest.mark.parametrize("seed", [0, 7])
def test_split_is_a_stratified_partition(fraction, seed):
    """Every index comes once; each class and the whole are shared out as closely as can be."""
    first, second = stratified_split(UNEVEN, fraction, seed)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(len(UNEVEN)))
    assert abs(len(first) - fraction * len(UNEVEN)) <= 0.5
    for found, total in zip(counts(UNEVEN, first), UNEVEN.bincount().tolist(), strict=True):
        assert abs(found - fraction * total) < 1


def test_half_of_cifar_has_half_of_each_class():
    """Of ten classes of 5,000 images each half gets 2,500, whatever the order of the file."""
    labels = torch.arange(50_000) % 10
    first, second = stratified_split(labels, 0.5, seed=3)
    assert labels[first].bincount().tolist() == labels[second].bincount().tolist() == [2500] * 10


def test_split_depends_on_its_seed_alone():
    """A seed gives the same parts again, another others; the global state is left alone."""
    torch.manual_seed(1)
    before = torch.get_rng_state()
    once, again, other = (stratified_split(UNEVEN, 0.5, seed)[0] for seed in (0, 0, 1))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert set(once.tolist()) != set(other.tolist())
    assert torch.equal(torch.get_rng_state(), before)


def test_split_is_in_random_order():
    """The parts are permutations: sorted input does not come out class by class."""
    first, second = stratified_split(torch.arange(1000) // 100, 0.5, seed=0)
    for part in (first, second):
        assert not torch.equal(part, part.sort().values)
        assert len((part[:100] // 100).unique()) == 10


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_split_rejects_a_fraction_out_of_range(fraction):
    """A fraction outside (0, 1) is an error that shows it."""
    with pytest.raises(DataError, match=r"found .*allowed are values between 0 and 1"):
        stratified_split(UNEVEN, fraction, 0)


def test_split_rejects_an_empty_part():
    """A part that rounds to no image is an error."""
    with pytest.raises(DataError, match="leaves one part empty"):
        stratified_split(UNEVEN, 0.001, 0)


@pytest.mark.parametrize("num", [4, 5, 9, 40, 162, 163])
def test_subset_keeps_proportions_and_every_class(num):
    """A subset has the asked size, ascending indices and at least one image of each class."""
    chosen = stratified_subset(UNEVEN, num, seed=0)
    assert len(chosen) == num
    assert (chosen.diff() > 0).all()
    found = counts(UNEVEN, chosen)
    assert min(found) >= 1
    # Lifting a small class to one image may cost each of the others a whole image.
    for have, total in zip(found, UNEVEN.bincount().tolist(), strict=True):
        assert have <= total
        assert abs(have - num * total / len(UNEVEN)) < 2


def test_subset_depends_on_its_seed():
    """Another seed chooses other images, the same seed the same."""
    once, again, other = (stratified_subset(UNEVEN, 40, seed) for seed in (0, 0, 1))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_subset_rejects_more_than_there_are():
    """Asking for more images than there are says how many there are."""
    with pytest.raises(DataError, match=r"^max_images: found 164, but there are 163 images"):
        stratified_subset(UNEVEN, 164, 0)


def test_subset_rejects_fewer_than_classes():
    """Asking for fewer images than classes says how many classes there are."""
    with pytest.raises(DataError, match=r"found 3, .* 4 classes; allowed are 4 to 163"):
        stratified_subset(UNEVEN, 3, 0)
