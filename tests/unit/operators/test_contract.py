"""What is said of an operator that breaks a rule, and at which sizes a run checks it."""

import copy
from itertools import product

import pytest
import torch
from torch import nn

from nas.errors import OperatorError
from nas.genotype import load_genotype
from nas.layers import ReLUConvBN
from nas.models import GenotypeNetwork
from nas.operators import get_operator, list_operators
from nas.operators.contract import (
    OperatorSize,
    cell_sizes,
    check_contract,
    check_operators,
    network_sizes,
)
from nas.operators.registry import Operator
from nas.space import load_space
from nas.supernet import Alphas, Supernet


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def conv(channels, stride, **settings):
    return nn.Conv2d(channels, channels, 3, stride, padding=1, **settings)


def operator(build, **record):
    return Operator("mine", lambda c, s, *, affine: build(c, s), "mine", "other", **record)


SIZE, ODD, POINT = OperatorSize(16, 1, 8, 8), OperatorSize(16, 2, 7, 7), OperatorSize(16, 1, 1, 1)
BROKEN = {
    "an activation in place at the start": (
        lambda c, s: nn.Sequential(nn.ReLU(inplace=True), conv(c, s)),
        {},
        SIZE,
        "changes its input, which other operators read too; do not use inplace=True",
    ),
    "an activation in place after a view": (
        lambda c, s: nn.Sequential(nn.Identity(), nn.Hardswish(inplace=True), conv(c, s)),
        {},
        SIZE,
        "changes its input",
    ),
    "an operation in place": (lambda c, s: Lambda(lambda x: x.mul_(2)), {}, SIZE, "changes its"),
    "dropout in place": (lambda c, s: nn.Dropout(0.5, inplace=True), {}, SIZE, "changes its"),
    "an odd size rounded down": (
        lambda c, s: nn.AvgPool2d(2, 2),
        {},
        ODD,
        r"turned an input of shape \(2, 16, 7, 7\) at stride 2 into \(2, 16, 3, 3\); "
        r"expected \(2, 16, 4, 4\)",
    ),
    "too few channels for its groups": (
        lambda c, s: conv(c, s, groups=8),
        {},
        OperatorSize(12, 1, 8, 8),
        r"its factory failed on \(channels=12, stride=1, affine=False\): ValueError",
    ),
    "too few pixels": (
        lambda c, s: nn.InstanceNorm2d(c),
        {},
        POINT,
        r"failed on an input of shape \(2, 16, 1, 1\) at stride 1: ValueError",
    ),
    "more channels": (lambda c, s: nn.Conv2d(c, 2 * c, 1), {}, SIZE, r"into \(2, 32, 8, 8\)"),
    "a tuple": (lambda c, s: Lambda(lambda x: (x, x)), {}, SIZE, "returned tuple for an input"),
    "no module": (lambda c, s: torch.relu, {}, SIZE, "its factory returned builtin_function"),
    "no identity": (conv, {"is_identity": True}, SIZE, "with is_identity, but changes"),
    "not zero": (conv, {"is_zero": True}, SIZE, "with is_zero, but its output .* not zero"),
    "chance": (
        lambda c, s: nn.Dropout(0.5),
        {"parameter_free": True},
        SIZE,
        "with parameter_free, but two calls on .* differ",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_rule_is_named(case):
    build, record, size, message = BROKEN[case]
    state = torch.get_rng_state()
    with pytest.raises(OperatorError, match=f"operator 'mine': .*{message}") as caught:
        check_contract(operator(build, **record), [size])
    assert "\n" not in str(caught.value)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "build",
    [
        lambda c, s: nn.Sequential(nn.ReLU(), conv(c, s), nn.ReLU(inplace=True)),
        lambda c, s: nn.Sequential(nn.Identity(), conv(c, s)),
        lambda c, s: nn.AvgPool2d(2, 2, ceil_mode=True) if s == 2 else nn.Dropout(0.1),
    ],
)
def test_what_keeps_the_rules(build):
    check_contract(operator(build), [SIZE, ODD, POINT, OperatorSize(3, 2, 5, 9)])


def test_every_operator_at_the_sizes_of_small_and_odd_runs():
    for shape, channels in (((3, 9, 9), 2), ((1, 32, 20), 5), ((3, 75, 75), 4)):
        sizes = network_sizes(shape, channels, 4)
        for affine in (True, False):
            check_operators(list_operators(), sizes, affine=affine)


def test_only_operators_of_the_run_are_checked():
    check_operators(["skip_connect"], [POINT], affine=True)
    with pytest.raises(OperatorError, match="unknown operator 'absent'"):
        check_operators(["absent"], [POINT], affine=True)


def observed_sizes(net, *others, image_shape):
    """The sizes in a network: the input and output of each cell, after its preprocessing."""
    shadow = copy.deepcopy(net).to("meta").train()
    sizes = []

    def observe(cell, inputs, output):
        prepared = [m for m in cell.modules() if isinstance(m, ReLUConvBN)]
        channels = prepared[-1][1].out_channels
        height, width = inputs[1].shape[2:]
        stride = -(-height // output.shape[2])
        sizes.append(OperatorSize(channels, stride, height, width))
        sizes.append(OperatorSize(channels, 1, *output.shape[2:]))

    for cell in shadow.cells:
        cell.register_forward_hook(observe)
    shadow(torch.empty((2, *image_shape), device="meta"), *others)
    return set(sizes)


@pytest.mark.parametrize(
    ("image_shape", "num_cells"),
    [
        ((3, 32, 32), 3),
        ((3, 33, 47), 5),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in product([(3, 32, 32), (3, 33, 47)], [3, 5, 8])
        ),
    ],
)
def test_sizes_are_those_of_the_networks(image_shape, num_cells):
    for stem in ("cifar", "imagenet"):
        net = GenotypeNetwork(
            load_genotype("DARTS_V2"),
            init_channels=6,
            num_cells=num_cells,
            stem=stem,
            auxiliary=False,
        )
        expected = network_sizes(image_shape, 6, num_cells, stem)
        assert observed_sizes(net, image_shape=image_shape) == set(expected)
        assert len(set(expected)) == len(expected)
    space = load_space("darts")
    net = Supernet(space, init_channels=6, num_cells=num_cells)
    weights = tuple(row.detach().to("meta") for row in Alphas(space).weights())
    observed = observed_sizes(net, weights, image_shape=image_shape)
    assert observed == set(network_sizes(image_shape, 6, num_cells))


def test_flags_of_the_built_in_operators_are_true():
    for name in list_operators():
        check_contract(get_operator(name), [SIZE, ODD])


def test_sizes_of_cells():
    """Reductions at one and two thirds; their operators read inputs at stride 2, nodes at 1."""
    sizes = list(cell_sizes((3, 9, 9), 4, 3))
    assert sizes == [
        ("normal", {1: OperatorSize(4, 1, 9, 9)}),
        ("reduce", {2: OperatorSize(8, 2, 9, 9), 1: OperatorSize(8, 1, 5, 5)}),
        ("reduce", {2: OperatorSize(16, 2, 5, 5), 1: OperatorSize(16, 1, 3, 3)}),
    ]
