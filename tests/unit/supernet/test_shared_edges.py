"""What the edges that leave a state share: computed once, with exact gradients."""

import copy

import pytest
import torch
from torch import nn

from nas.layers import pointwise_norm
from nas.operators import build_operator, get_operator
from nas.supernet.shared_edges import (
    SharedOperators,
    SourceState,
    add_product,
    weighted,
)
from tests.derivatives import FORMATS, TOLERANCE, assert_same, derivatives, leaf
from tests.plain import make_plain

DEPTHWISE = ("sep_conv_3x3", "sep_conv_7x7", "dil_conv_5x5")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def scaled(monkeypatch):
    """For each product of a convolution and a BatchNorm, whether it had a scale."""
    calls, apply = [], pointwise_norm._PointwiseNorm.apply
    monkeypatch.setattr(
        pointwise_norm._PointwiseNorm,
        "apply",
        lambda *inputs: calls.append(inputs[2] is not None) or apply(*inputs),
    )
    return calls


def test_a_state_computes_everything_once():
    calls = []
    state = SourceState(torch.tensor([-1.0, 2.0]))
    assert [state.once("key", lambda: calls.append(1) or 7) for _ in range(3)] == [7, 7, 7]
    assert calls == [1]
    assert state.relu is state.relu and state.relu.tolist() == [0.0, 2.0]


def test_the_first_operator_of_a_name_is_kept():
    shared, first = SharedOperators(), nn.MaxPool2d(2)
    shared.offer("pool", first)
    shared.offer("pool", nn.AvgPool2d(2))
    state = SourceState(torch.arange(16.0).reshape(1, 1, 4, 4), shared)
    assert shared["pool"] is first and len(shared.operators) == 1
    assert state.shares("pool") and not state.shares("other")
    assert state.output_of("pool") is state.output_of("pool")
    assert state.output_of("pool").flatten().tolist() == [5.0, 7.0, 13.0, 15.0]
    assert not SourceState(state.x).shares("pool")


@FORMATS
def test_add_product_has_the_derivatives_of_the_product(memory_format):
    """In both arguments and the weight; the total is changed in place."""
    total, output = (leaf(2, 3, 2, 4, memory_format=memory_format) for _ in range(2))
    weight = leaf()
    inputs = (total, output, weight)
    found = add_product(total * 1, output, weight)
    assert_same(derivatives(found, inputs), derivatives(total + weight * output, inputs))
    started = total.detach().clone()
    assert add_product(started, output.detach(), weight.detach()) is started
    assert torch.equal(started, total.detach().addcmul(output.detach(), weight.detach()))


@FORMATS
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [8, 20])
@pytest.mark.parametrize("name", [*DEPTHWISE, "skip_connect", "conv_3x3", "sandglass_3x3"])
def test_weighted_is_weight_times_operator(name, channels, stride, memory_format, scaled):
    """All derivatives, with the weight folded into the last BatchNorm; torch's own layers."""
    operator = build_operator(name, channels, stride, affine=False).double()
    operator.to(memory_format=memory_format)
    plain = make_plain(copy.deepcopy(operator))
    x, weight = leaf(2, channels, 4, 6, memory_format=memory_format), leaf()
    expected = derivatives(weight * plain(x), (x, weight, *plain.parameters()))
    found = weighted(get_operator(name), operator, SourceState(x), weight)
    assert_same(derivatives(found, (x, weight, *operator.parameters())), expected)
    torch.testing.assert_close(list(operator.buffers()), list(plain.buffers()), **TOLERANCE)
    is_fast = channels == 8 and memory_format == torch.channels_last
    assert any(scaled) == (is_fast and name in DEPTHWISE)
