"""The network as it is deployed has the same logits, and nothing of training."""

import copy

import pytest
import torch
from torch import nn

from nas.deploy.prepare import Clamp, prepare
from nas.deploy.streams import StreamFeatures
from nas.genotype import Chain, load_genotype
from nas.layers import ReLU6, add_identity
from nas.models import GenotypeNetwork, build_network
from nas.models.chain import ChainNetwork
from nas.operators import build_operator, resolve_genotype
from nas.space.blocks import Candidate
from nas.space.chain import ChainSpace, Stage, Stem
from tests.unit.deploy.networks import images, lively, small_mobilenext


def deviation(net, batch):
    """The largest difference of a logit between a network in float64 and what is deployed."""
    net = net.double().eval()
    with torch.no_grad():
        expected = net(batch.double())
        found = [prepare(net)(batch.double())]
    # Layers may take another path where gradients are asked for.
    found.append(prepare(net)(batch.double()).detach())
    assert expected.abs().max() > 1e-3
    return (torch.stack(found) - expected).abs().max() / expected.abs().max()


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


@pytest.mark.parametrize("se", [False, True])
def test_chains_with_a_partial_shortcut(se):
    """Streams for plain sandglasses; squeeze-and-excitation mixes channels, so those stay whole."""
    candidate = Candidate("sandglass", 4, 5, se)
    space = ChainSpace("tiny", Stem(8), (), (Stage(16, 2, (2,), (candidate,)),), ())
    chain = Chain(space, ((candidate.name,) * 2,))
    net = lively(ChainNetwork(chain, num_classes=5, identity_ratio="1/2"))
    assert deviation(net, images(2)) < 1e-11
    assert isinstance(prepare(net).features, StreamFeatures) == (not se)


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


@pytest.mark.parametrize("name", ["DARTS_V2", "mobilenext_se_1.0"])
def test_nothing_of_chance_is_left(name):
    """Drop path and dropout are gone from the graph of a network that is trained with both."""
    if name == "DARTS_V2":
        genotype = load_genotype(name)
        resolve_genotype(genotype)
        net = GenotypeNetwork(genotype, init_channels=2, num_cells=3, auxiliary=False)
    else:
        net = build_network(name, num_classes=5)
    net.train().drop_path_prob = 0.9
    assert chances(net) and not chances(prepare(net))
    assert net.training and net.drop_path_prob == 0.9


def chances(net):
    """The random operators of a network's graph; dropout (x, p, train) that is off is none."""
    graph = torch.export.export(net, (images(2),)).graph
    found = [n for n in graph.nodes if any(w in str(n.target) for w in ("rand", "bernoulli"))]
    return found + [n for n in graph.nodes if "dropout" in str(n.target) and n.args[2]]


def test_no_relu6_is_left_for_an_export():
    """Torch's own and the project's are both replaced; in PyTorch they stay, being in place."""
    net = nn.Sequential(
        small_mobilenext("1/2").features,
        build_operator("inverted_residual_3x3", 24),
        nn.ReLU6(),
    )
    assert {type(m) for m in net.modules() if isinstance(m, nn.ReLU6)} == {ReLU6, nn.ReLU6}
    assert any(isinstance(m, ReLU6) for m in prepare(net, for_export=False).modules())
    prepared = prepare(net)
    assert not any(isinstance(m, nn.ReLU6) for m in prepared.modules())
    assert any(isinstance(m, Clamp) for m in prepared.modules())


def test_a_sequence_with_its_own_forward_stays():
    """A plug-in may call the layers of its nn.Sequential otherwise; folding would change it."""

    class Twice(nn.Sequential):
        def forward(self, x):
            y = self[0](x)
            return self[1](y) + y

    net = lively(nn.Sequential(Twice(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), nn.ReLU6()))
    assert deviation(net, images(2)) < 1e-12
    assert isinstance(prepare(net)[0][1], nn.BatchNorm2d)


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
