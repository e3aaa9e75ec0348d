"""R-DARTS: drop path on the edges of a supernet."""

import pytest
import torch

from nas.errors import ConfigError
from nas.operators import resolve
from nas.search.method import Progress
from nas.search.methods.r_darts import RDarts
from nas.space import load_space
from nas.supernet import Alphas, EdgeRow, Supernet
from nas.supernet.arch_weights import PathDrop

LAST = Progress(4, 5)


@pytest.fixture
def space():
    space = load_space("skip_connect+sep_conv_3x3")
    resolve(space)
    return space


def test_probability_rises_to_the_last_epoch():
    method = RDarts(drop_path=0.4)
    assert [method.probability(Progress(e, 5)) for e in range(5)] == pytest.approx(
        [0, 0.1, 0.2, 0.3, 0.4]
    )
    with pytest.raises(ConfigError, match="drop_path: expected 0 or more, below 1"):
        RDarts(drop_path=1)


def test_an_edge_drops_whole_images(space):
    """Each image is 0 or the mixture divided by the probability to keep it."""
    edge = RDarts().build_edge(space.primitives, space.primitives, 4, 1).eval()
    x = torch.randn(64, 4, 5, 5)
    row = EdgeRow(torch.tensor([0.3, 0.7]).unbind())
    whole = edge(x, row)
    dropped = edge(x, row._replace(drop=PathDrop(0.5, 7)))
    gone = (dropped == 0).flatten(1).all(dim=1)
    assert 16 < int(gone.sum()) < 48
    torch.testing.assert_close(dropped[~gone], 2 * whole[~gone])


def test_both_forms_drop_the_same(space):
    """The fast form and the definition agree, in value and in every gradient by the alphas."""
    method = RDarts(drop_path=0.5)
    alphas = Alphas(space, 1.0).double()
    noise = method.draw(alphas, LAST, torch.Generator().manual_seed(3))
    x = torch.randn(4, 3, 9, 9, dtype=torch.float64)
    results = []
    for by_source in (True, False, False):
        torch.manual_seed(0)
        net = Supernet(
            space, init_channels=4, num_cells=3, by_source=by_source, build_edge=method.build_edge
        ).double()
        logits = net(x, method.arch_weights(alphas, LAST, noise))
        results.append([logits, *torch.autograd.grad(logits.square().sum(), alphas.parameters())])
    for fast, definition, again in zip(*results, strict=True):
        torch.testing.assert_close(fast, definition)
        assert torch.equal(definition, again)  # one seed, one set of masks
    whole = net(x, method.arch_weights(alphas, LAST, None))
    assert not torch.allclose(whole, results[1][0])
