"""The door to all datasets."""

import pytest

from nas.data import dataset_names, load_dataset
from nas.errors import DataError


def test_the_names():
    """The four sets are known by their names."""
    assert dataset_names() == ("cifar10", "cifar100", "imagefolder", "shapes")


def test_an_unknown_name():
    """A misspelt name is an error with the near ones."""
    with pytest.raises(DataError, match=r"unknown dataset 'cifar-10'; did you mean 'cifar10'"):
        load_dataset("cifar-10", ".", split="train")


def test_an_unknown_split():
    """A split that is neither train nor test is an error."""
    with pytest.raises(DataError, match=r"unknown split 'val'; known: train, test"):
        load_dataset("shapes", split="val")


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "imagefolder"])
def test_a_folder_is_needed(name):
    """Only the drawn set does without a folder; the others name the flag."""
    with pytest.raises(DataError, match=rf"^data: found none; {name} needs the folder"):
        load_dataset(name, split="train", image_size=32)


@pytest.mark.parametrize("option", ["image_size", "max_images"])
@pytest.mark.parametrize("value", [0, -4])
def test_a_number_below_one(option, value):
    """A size or a number of images below 1 is an error that names the flag."""
    with pytest.raises(DataError, match=f"^{option}: found {value}, allowed are whole numbers"):
        load_dataset("shapes", split="train", **{option: value})
