"""The supernet of the NAS-Bench-201 family; tests/golden compares it with the benchmark's code."""

import pytest
import torch
from torch.nn.functional import one_hot

from nas.operators import resolve
from nas.search.methods.pc_darts import PCDarts
from nas.space import load_space
from nas.supernet import Alphas, EdgeWeights
from nas.supernet.nasbench201 import Nasbench201Supernet

OWN = "family: nasbench201\nnum_nodes: 2\nprimitives: [none, sep_conv_3x3, max_pool_3x3]\n"


def make(space, **settings):
    resolve(space)
    torch.manual_seed(1)
    net = Nasbench201Supernet(space, init_channels=4, num_cells=1, **settings).double()
    return net, Alphas(space, init_std=1.0).double()


@pytest.mark.parametrize("name", ["nasbench201", "nasbench201+sandglass", "own"])
@pytest.mark.parametrize("size", [8, 9])
def test_the_fast_form_equals_the_definition(name, size, tmp_path):
    """Outputs and all gradients, also where a size is odd and in a user's space."""
    (tmp_path / "own.yaml").write_text(OWN)
    space = load_space(tmp_path / "own.yaml" if name == "own" else name)
    images = torch.randn(3, 3, size, size, dtype=torch.float64)
    results = []
    for by_source in (True, False):
        net, alphas = make(space, by_source=by_source)
        loss = net(images, alphas.weights()).square().sum()
        parameters = [*alphas.parameters(), *net.parameters()]
        results.append((loss, torch.autograd.grad(loss, parameters)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-9)


def test_a_dead_cell_gives_zeros_and_gradients_of_zero():
    """Only `none` runs: the output is that of the classifier, and every weight has a gradient."""
    space = load_space("nasbench201")
    net, _ = make(space)
    chosen = (space.primitives.index("none"),) * 6
    weights = EdgeWeights(one_hot(torch.tensor(chosen), 5).double(), chosen=chosen)
    logits = net(torch.randn(2, 3, 8, 8, dtype=torch.float64), [weights])
    logits.square().sum().backward()
    assert net.stem[0].weight.grad is not None
    assert not net.stem[0].weight.grad.any()
    assert torch.equal(logits[0], logits[1])


def test_a_method_may_replace_the_edges():
    """PC-DARTS mixes a part of the channels here as in a DARTS cell."""
    space = load_space("nasbench201")
    method = PCDarts(channel_fraction=2)
    net, alphas = make(space, build_edge=method.build_edge)
    assert net.cells[0].edges[0].inner.operators["3"][1].in_channels == 2
    assert net(torch.randn(2, 3, 8, 8, dtype=torch.float64), alphas.weights()).isfinite().all()
