"""The network as it is deployed has the same logits, and nothing of training."""

import copy

import pytest
import torch
from torch import nn

from nas.deploy.prepare import prepare
from nas.deploy.streams import StreamFeatures
from nas.genotype import load_genotype
from nas.layers import add_identity
from nas.models import GenotypeNetwork, build_network
from nas.operators import resolve_genotype
from tests.unit.deploy.networks import images, lively, small_mobilenext


def deviation(net, batch):
    """The largest difference of a logit between a network in float64 and what is deployed."""
    net = net.double().eval()
    with torch.no_grad():
        expected = net(batch.double())
        found = prepare(net)(batch.double())
    assert expected.abs().max() > 1e-3
    return (found - expected).abs().max() / expected.abs().max()


@pytest.mark.parametrize("ratio", ["0", "1/6", "1/3", "1/2", "1"])
def test_streams_are_the_partial_shortcut(ratio):
    """Exact in float64 for every ratio, at any batch; only partial shortcuts are rewritten."""
    net = small_mobilenext(ratio)
    assert deviation(net, images(3)) < 1e-12
    is_partial = ratio not in ("0", "1")
    assert isinstance(prepare(net).features, StreamFeatures) == is_partial


def test_streams_at_both_ends_of_the_network():
    """A chain that begins at the stem is cut there, and one that ends at the classifier joined."""
    net = small_mobilenext("1/2")
    net.features = nn.Sequential(net.features[0], *copy.deepcopy(net.features[6:]))
    stem = net.features[0]
    stem[0] = nn.Conv2d(3, 18, 3, stride=2, padding=1, bias=False)
    stem[1] = nn.BatchNorm2d(18)
    assert deviation(net, images(2)) < 1e-12
    net.features = nn.Sequential(nn.Sequential(nn.Conv2d(3, 24, 1)), net.features[-1])
    prepared = prepare(net)
    assert prepared.features.cut == 12
    assert deviation(net, images(2)) < 1e-12


@pytest.mark.parametrize("name", ["mobilenext_se_1.0", "mobilenet_v2_0.35"])
def test_no_batch_norm_is_left_of_a_network_by_name(name):
    """And the logits are the same."""
    net = lively(build_network(name, num_classes=5))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in prepare(net).modules())
    assert deviation(net, images(2)) < 1e-11


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_a_genotype_network_without_auxiliary_head(stem):
    """The head is gone, and so is every BatchNorm, also that behind two joined convolutions."""
    genotype = load_genotype("DARTS_V2")
    resolve_genotype(genotype)
    net = lively(GenotypeNetwork(genotype, init_channels=3, num_cells=4, num_classes=5, stem=stem))
    assert net.auxiliary_head is not None
    prepared = prepare(net)
    assert prepared.auxiliary_head is None and net.auxiliary_head is not None
    assert not any(isinstance(m, nn.BatchNorm2d) for m in prepared.modules())
    assert deviation(net, images(2, 32 if stem == "cifar" else 64)) < 1e-12


def test_an_exported_partial_sum_is_no_scatter():
    """Blocks that keep their form add out of place while they are exported, with equal results."""

    class Block(nn.Module):
        def forward(self, residual, x):
            return add_identity(residual.clone(), x, 2)

    residual, x = images(2), images(2).roll(1, 0)
    program = torch.export.export(Block(), (residual, x))
    assert not any("copy" in str(node.target) for node in program.graph.nodes)
    assert torch.equal(program.module()(residual, x), Block()(residual, x))
    assert torch.equal(Block()(residual, x)[:, 2:], residual[:, 2:])
