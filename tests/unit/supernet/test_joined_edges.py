"""Which operators of narrow edges are evaluated side by side, and that nothing else changes."""

import pytest
import torch

from nas.operators import resolve
from nas.space import load_space
from nas.supernet import EdgeWeights, MixedEdge, joined_edges
from nas.supernet.cell import SupernetCell
from tests.derivatives import FORMATS, TOLERANCE, assert_same, derivatives, leaf
from tests.plain import make_plain

CONVOLUTIONS = 4


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def calls(monkeypatch):
    """How many edges each joined evaluation was for."""
    counts, run = [], joined_edges.run_joined
    monkeypatch.setattr(
        joined_edges, "run_joined", lambda many, *rest: counts.append(len(many)) or run(many, *rest)
    )
    return counts


def cells(cell_type="normal", channels=2):
    """Return a cell of the DARTS space in the fast form, and the same edge by edge."""
    space = load_space("darts")
    resolve(space)
    forms = []
    for by_source in (True, False):
        torch.manual_seed(1)
        forms.append(SupernetCell(space, cell_type, (4, 4), channels, False, by_source).double())
    return space, forms


def weights_of(space, **settings):
    shape = (space.num_edges, len(space.primitives))
    return EdgeWeights(torch.rand(shape, dtype=torch.float64, requires_grad=True), **settings)


def check_forms(space_and_forms, weights, memory_format=torch.channels_last):
    """Hold both together in all derivatives and statistics; one edge by edge has torch's layers."""
    _, (fast, plain) = space_and_forms
    make_plain(plain)
    x = leaf(2, 4, 6, 4, memory_format=memory_format)
    results, buffers = [], []
    for cell in (fast, plain):
        parameters = dict(cell.named_parameters())
        inputs = (x, weights.ops, *(parameters[name] for name in sorted(parameters)))
        results.append(derivatives(cell(x, x, weights), inputs))
        buffers.append(dict(cell.named_buffers()))
    assert_same(*results)
    for name in buffers[0].keys() & buffers[1].keys():
        torch.testing.assert_close(buffers[0][name], buffers[1][name], **TOLERANCE)


@FORMATS
@pytest.mark.parametrize("cell_type", ["normal", "reduce"])
def test_every_convolution_once_a_state(cell_type, memory_format, calls):
    """Of the states with more than one edge; the sum is that of the edges one by one."""
    both = cells(cell_type)
    check_forms(both, weights_of(both[0]), memory_format)
    assert calls == [count for count in (4, 4, 3, 2) for _ in range(CONVOLUTIONS)]


def test_edges_that_run_different_operators(calls):
    """Removed operators stay out; two sets of edges are two evaluations."""
    both = cells()
    space = both[0]
    sep_3x3 = space.primitives.index("sep_conv_3x3")
    removed = tuple(frozenset({sep_3x3} if edge % 2 else ()) for edge in range(space.num_edges))
    check_forms(both, weights_of(space, removed=removed))
    assert set(calls) == {2, 3, 4} and len(calls) > 3 * CONVOLUTIONS


def test_edges_that_drew_the_same_operator(calls):
    both = cells()
    space = both[0]
    names = ["sep_conv_3x3", "skip_connect", "sep_conv_3x3", "dil_conv_5x5"]
    chosen = tuple(space.primitives.index(names[edge % 4]) for edge in range(space.num_edges))
    check_forms(both, weights_of(space, chosen=chosen))
    assert calls and max(calls) < 4


def test_an_edge_that_is_given_other_weights_is_evaluated_alone(calls):
    """Such as one that wraps another and scales it."""

    class Halved(MixedEdge):
        keeps_row = False

        def add_to(self, total, state, row):
            return super().add_to(total, state, row._replace(ops=[w / 2 for w in row.ops]))

        def forward(self, x, row):
            return super().forward(x, row) / 2

    both = cells()
    for form in both[1]:
        form.edges[0].__class__ = Halved
    check_forms(both, weights_of(both[0]))
    assert calls[:CONVOLUTIONS] == [3] * CONVOLUTIONS


def test_not_for_wide_edges_nor_without_gradients(calls):
    wide, narrow = cells(channels=joined_edges._MAX_CHANNELS + 1), cells()
    check_forms(wide, weights_of(wide[0]))
    with torch.no_grad():
        x = torch.randn(2, 4, 6, 6, dtype=torch.float64)
        narrow[1][0](x, x, weights_of(narrow[0]))
    assert calls == []
