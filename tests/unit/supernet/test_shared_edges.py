"""What the edges that leave a state share: computed once, with exact gradients."""

import pytest
import torch
from torch import nn

from nas.operators import build_operator, get_operator
from nas.supernet.shared_edges import (
    SharedOperators,
    SourceState,
    add_product,
    weighted,
)


def tensors(*shape, count=2):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for _ in range(count)
    ]


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


def test_add_product_has_the_derivatives_of_the_product():
    """Against finite differences, in both arguments and the weight."""
    total, output = tensors(2, 3, 2, 2)
    weight = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda t, o, w: add_product(t.clone(), o, w), (total, output, weight)
    )
    started = total.detach().clone()
    assert add_product(started, output.detach(), weight.detach()) is started
    assert torch.equal(started, total.detach().addcmul(output.detach(), weight.detach()))


@pytest.mark.parametrize("name", ["sep_conv_3x3", "dil_conv_5x5", "sandglass_3x3"])
def test_weighted_is_the_weight_times_the_operator(name):
    """Value and gradients, with the weight folded into the last BatchNorm."""
    record, results = get_operator(name), []
    for form in (
        lambda operator, x, w: weighted(record, operator, SourceState(x), w),
        lambda operator, x, w: w * operator(x),
    ):
        torch.manual_seed(0)
        operator = build_operator(name, 8, 1, affine=False).double()
        (x,) = tensors(2, 8, 4, 4, count=1)
        weight = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        output = form(operator, x, weight)
        output.square().mean().backward()
        results.append((output, x.grad, weight.grad))
    for fast, plain in zip(*results, strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-10, atol=1e-12)
