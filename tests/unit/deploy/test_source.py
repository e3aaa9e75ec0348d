"""A network by name: the same each time, and described by nothing that is not known."""

import pytest
import torch

from nas.data.cifar import CIFAR10_INFO
from nas.deploy.source import read_source
from nas.errors import ConfigError, GenotypeError
from nas.genotype import Genotype, load_genotype

CELLS = "DARTS_V2,init_channels=2,num_cells=3"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A checkpoint of the small cells, with weights that no seed draws."""
    net = read_source(CELLS).net
    net.classifier.bias.data.fill_(7.0)
    path = tmp_path_factory.mktemp("weights") / "cells.pt"
    torch.save(net.state_dict(), path)
    return path


def test_random_weights_are_the_same_each_time():
    """Whatever was drawn before; and the program's own random numbers go on undisturbed."""
    torch.manual_seed(1)
    first = read_source(CELLS).net.state_dict()
    torch.manual_seed(2)
    expected = torch.rand(3)
    torch.manual_seed(2)
    second = read_source(CELLS).net.state_dict()
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_random_weights_are_of_no_data_set():
    """Nothing says that they were trained on one, unless the user does."""
    metadata = read_source(CELLS).metadata
    assert (metadata.dataset, metadata.weights, metadata.classes) == ("none", "random", None)
    metadata = read_source(f"{CELLS},dataset=shapes").metadata
    assert metadata.dataset == "shapes" and metadata.classes[0] == "disc"


def test_weights_are_of_the_data_set_that_is_named(weights):
    """Classes, normalisation and image size are its own."""
    source = read_source(f"{CELLS},weights={weights},dataset=cifar10")
    metadata = source.metadata
    assert metadata.mean == list(CIFAR10_INFO.mean) and metadata.std == list(CIFAR10_INFO.std)
    assert metadata.classes == list(CIFAR10_INFO.class_names) and metadata.image_size == 32
    assert (metadata.dataset, metadata.weights) == ("cifar10", "cells.pt")
    assert (source.net.classifier.bias == 7).all()


def test_weights_for_imagenet(tmp_path):
    """A network with its thousand classes may leave the data set out."""
    name = "mobilenext_0.35"
    torch.save(read_source(name).net.state_dict(), tmp_path / "w.pt")
    metadata = read_source(f"{name},weights={tmp_path / 'w.pt'}").metadata
    assert (metadata.dataset, metadata.image_size) == ("imagenet", 224)


@pytest.mark.parametrize("name", [CELLS, "mobilenext_0.35,num_classes=7", f"{CELLS},stem=imagenet"])
def test_weights_of_an_unknown_data_set(name, weights):
    """The stem of CIFAR or other classes than a thousand: the normalisation cannot be guessed."""
    name = f"{name},num_classes=5" if "stem" in name else name
    with pytest.raises(ConfigError, match=r"say what they were trained on with dataset="):
        read_source(f"{name},weights={weights}")


def test_a_probability_is_a_number():
    """`dropout=0.1` is one; what is none is said to be none."""
    net = read_source("mobilenext_0.35,dropout=0.1", 32).net
    assert net.classifier[0].p == 0.1
    with pytest.raises(ConfigError, match=r"dropout: 1\.5 is out of range"):
        read_source("mobilenext_0.35,dropout=1.5", 32)


def test_classes_are_those_of_the_data_set():
    """A number of classes that contradicts it is refused."""
    assert read_source("mobilenext_0.35,dataset=cifar100").net.classifier[1].out_features == 100
    with pytest.raises(ConfigError, match=r"num_classes: found 5, but cifar10 has 10"):
        read_source(f"{CELLS},num_classes=5,dataset=cifar10")


PAIRS = "[('skip_connect', 0), ('sep_conv_3x3', 1)]"
CELL = f"Genotype({PAIRS}, [2], {PAIRS}, [2])"


def test_a_genotype_as_text():
    """Its commas are not those of settings, and it may be longer than any path."""
    source = read_source(f"{CELL},num_cells=3,init_channels=2")
    assert source.metadata.model["num_cells"] == 3
    assert Genotype.from_json(source.metadata.model["genotype"]) == load_genotype(CELL)
    with pytest.raises(GenotypeError, match="without normal"):
        read_source("Genotype(" + " " * 500 + ")")
