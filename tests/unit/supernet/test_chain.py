"""The supernet of a chain: one-hot it is the network alone; a draw runs one path."""

import pytest
import torch

from nas.genotype import Chain, random_chain
from nas.models.chain import ChainNetwork
from nas.space.blocks import Candidate
from nas.space.chain import ChainSpace, FixedBlock, Stage, Stem
from nas.supernet.arch_weights import EdgeWeights
from nas.supernet.chain import ChainSupernet

WIDE = tuple(Candidate("sandglass", ratio, kernel) for ratio in (2, 4) for kernel in (3, 5))
NARROW = tuple(Candidate("inverted_residual", ratio) for ratio in (2, 3))
SPACE = ChainSpace(
    "tiny",
    Stem(8),
    first=(FixedBlock(Candidate("sandglass", 2), 16),),
    # The first layer of the second stage has two candidates, its depth is 1 or 3.
    stages=(Stage(16, 1, (1, 2), WIDE), Stage(24, 1, (1, 3), WIDE), Stage(8, 2, (1,), NARROW)),
    last=(FixedBlock(Candidate("conv"), 32),),
    image_size=8,
)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = ChainSupernet(SPACE, num_classes=3).double()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after some training
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias)
    return net


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, 3, 9, 9, dtype=torch.float64, generator=generator)


def columns_of(chain):
    """For each group the column of each row; layers that are absent take their last candidate."""
    layers = []
    for number, names in enumerate(chain.stages):
        for layer in SPACE.layers_of(number):
            blocks = list(layer.blocks)
            name = names[layer.index] if layer.index < len(names) else blocks[-1]
            layers.append(SPACE.candidates.index(name))
    return {"layers": layers, "depths": [SPACE.depths.index(depth) for depth in chain.depths]}


def one_hot(columns, drawn):
    weights = {}
    for group, chosen in columns.items():
        rows, width = len(chosen), len(SPACE.columns(group))
        ops = torch.zeros(rows, width, dtype=torch.float64)
        ops[range(rows), chosen] = 1
        weights[group] = EdgeWeights(ops.requires_grad_(), chosen=tuple(chosen) if drawn else None)
    return weights


def alone(net, chain):
    """The discrete network with the weights of its blocks in the supernet."""
    ours = ChainNetwork(chain, num_classes=3, dropout=0).double()
    layers = columns_of(chain)["layers"]
    blocks, row = [net.stem, *net.first], 0
    for stage, depth in zip(net.stages, chain.depths, strict=True):
        for index, layer in enumerate(stage.layers):
            if index < depth:
                blocks.append(layer.blocks[str(layers[row])])
            row += 1
    for mine, theirs in zip(ours.features, [*blocks, *net.last], strict=True):
        mine.load_state_dict(theirs.state_dict())
    ours.classifier[1].load_state_dict(net.classifier.state_dict())
    return ours


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_one_hot_weights_are_the_network_alone(net, images, seed, drawn):
    """At random depths and blocks, with the statistics of the batch; mixed or drawn."""
    chain = random_chain(SPACE, seed)
    found = net.train()(images, one_hot(columns_of(chain), drawn))
    expected = alone(net, chain).train()(images)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_the_seeds_have_other_depths():
    """Or the test above would not see a depth."""
    assert len({random_chain(SPACE, seed).depths for seed in range(3)}) > 1


def test_the_mixture_by_hand(net, images):
    """Layer by layer, prefix by prefix, as the equations say."""
    net.train()
    generator = torch.Generator().manual_seed(2)
    weights = {}
    for group in SPACE.groups:
        mask = torch.tensor(SPACE.mask(group))
        logits = torch.randn(mask.shape, dtype=torch.float64, generator=generator)
        weights[group] = logits.masked_fill(~mask, -torch.inf).softmax(dim=1)
    x, row = net.first(net.stem(images)), 0
    for stage, q in zip(net.stages, weights["depths"], strict=True):
        prefixes = []
        for layer in stage.layers:
            p = weights["layers"][row]
            x = sum(p[int(column)] * block(x) for column, block in layer.blocks.items())
            prefixes.append(x)
            row += 1
        x = sum(q[column] * prefixes[depth - 1] for depth, column in stage.columns.items())
    expected = net.classifier(net.last(x).mean(dim=(2, 3)))
    torch.testing.assert_close(net(images, list(weights.values())), expected, rtol=0, atol=1e-12)


def test_a_draw_runs_one_path(net, images):
    """Every other block is left out: it is not even called."""
    chain = Chain(SPACE, (("sandglass_t4_k5",) * 2, ("sandglass_t2_k3",), (NARROW[1].name,)))
    called = []
    blocks = {
        (number, index, column): block
        for number, stage in enumerate(net.stages)
        for index, layer in enumerate(stage.layers)
        for column, block in layer.blocks.items()
    }
    hooks = [
        block.register_forward_hook(lambda *_, place=place: called.append(place))
        for place, block in blocks.items()
    ]
    net(images, one_hot(columns_of(chain), drawn=True))
    for hook in hooks:
        hook.remove()
    place = {name: str(column) for column, name in enumerate(SPACE.candidates)}
    wide, first = place["sandglass_t4_k5"], place["sandglass_t2_k3"]
    assert called == [(0, 0, wide), (0, 1, wide), (1, 0, first), (2, 0, place[NARROW[1].name])]


def test_the_gradient_of_a_draw(net, images):
    """What removing a branch, or the later layers of a stage, would change to the first order."""
    net.train()
    chain = Chain(SPACE, (("sandglass_t4_k5",) * 2, ("sandglass_t2_k3",) * 3, (NARROW[0].name,)))
    weights = one_hot(columns_of(chain), drawn=True)
    gradient = torch.autograd.grad(net(images, weights).sum(), [w.ops for w in weights.values()])
    network = alone(net, chain).train()

    def scaled(start, stop, factor):
        """The network in which what the layers from start to stop add is scaled."""
        x = before = images
        for index, block in enumerate(network.features):
            before = x if index == start else before
            x = block(x)
            if index == stop:
                x = before + factor * (x - before)
        return network.classifier(x.mean(dim=(2, 3))).sum()

    # features: stem, fixed, then layers 0.0, 0.1, 1.0, 1.1, 1.2, 2.0.
    for (group, row), (start, stop) in {(0, 1): (3, 3), (0, 3): (5, 5), (1, 1): (5, 6)}.items():
        with torch.no_grad():
            step = 1e-6
            plus, minus = scaled(start, stop, 1 + step), scaled(start, stop, 1 - step)
        found = gradient[group][row].sum()
        torch.testing.assert_close(found, (plus - minus) / (2 * step), rtol=1e-5, atol=1e-8)
    assert (gradient[0] != 0).sum() == len(SPACE.layers) and not gradient[1][2].any()
