"""What every operator promises; a new one is tested from the moment it registers."""

import copy
import math

import pytest
import torch
from torch import nn

from nas.operators import build_operator, get_operator, list_operators
from nas.operators.contract import check_contract
from nas.primitives import BUILT_IN, OPERATOR_FAMILIES

NAMES = list_operators()
CONVOLUTIONS = [
    name
    for name in NAMES
    if not (get_operator(name).parameter_free or get_operator(name).is_random)
]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_the_operators_of_the_issue_are_all_there():
    """Those of DARTS, of the paper's appendix B, the noise of S4, three of NAS-Bench-201."""
    assert set(NAMES) >= set(BUILT_IN)
    assert len(BUILT_IN) == 17


@pytest.mark.parametrize("name", NAMES)
class TestEveryOperator:
    def test_record(self, name):
        """A label, a known family and a source stand in the record."""
        operator = get_operator(name)
        assert operator.label and operator.source
        assert operator.family in OPERATOR_FAMILIES
        check_contract(operator)

    @pytest.mark.parametrize("stride", [1, 2])
    @pytest.mark.parametrize("size", [(8, 8), (7, 9), (5, 8), (1, 1)])
    @pytest.mark.parametrize("channels", [2, 7, 16])
    def test_shape(self, name, stride, size, channels):
        """(N, C, H, W) -> (N, C, ceil(H / stride), ceil(W / stride)), odd sizes too."""
        operator = build_operator(name, channels, stride, affine=False).eval()
        expected = (2, channels, *(math.ceil(side / stride) for side in size))
        assert operator(torch.randn(2, channels, *size)).shape == expected

    @pytest.mark.parametrize("stride", [1, 2])
    def test_gradient_reaches_the_input(self, name, stride):
        """Every pixel's neighbourhood counts, except where the operator passes nothing on."""
        operator = build_operator(name, 6, stride, affine=False).double()
        x = torch.randn(3, 6, 7, 7, dtype=torch.float64, requires_grad=True)
        y = operator(x)
        if get_operator(name).is_random:
            assert not y.requires_grad
            return
        (gradient,) = torch.autograd.grad((y * torch.randn_like(y)).sum(), x)
        if get_operator(name).is_zero:
            assert gradient.abs().max() == 0 and y.abs().max() == 0
        else:
            assert (gradient.abs().sum(dim=(2, 3)) > 0).all()

    @pytest.mark.parametrize("stride", [1, 2])
    def test_affine(self, name, stride):
        """`affine` decides whether BatchNorms have a scale and a shift, and nothing else."""
        with_scale = build_operator(name, 6, stride, affine=True)
        without = build_operator(name, 6, stride, affine=False)
        assert all(norm.affine for norm in norms(with_scale))
        assert not any(norm.affine for norm in norms(without))
        assert count(with_scale) - count(without) == sum(
            2 * norm.num_features for norm in norms(with_scale)
        )

    def test_deepcopy_and_state_dict(self, name):
        """A copy has its own weights, and a state dict carries all of them."""
        operator = build_operator(name, 6, 2, affine=True)
        twin, other = copy.deepcopy(operator), build_operator(name, 6, 2, affine=True)
        x = torch.randn(2, 6, 8, 8)
        operator(x)  # moves running statistics
        other.load_state_dict(operator.state_dict(), strict=True)
        operator.eval(), other.eval()
        assert torch.equal(seeded(operator, x), seeded(other, x))
        assert {id(p) for p in twin.parameters()}.isdisjoint(id(p) for p in operator.parameters())

    def test_channels_last_keeps_values(self, name):
        """The memory format changes no value beyond rounding."""
        operator = build_operator(name, 6, 1, affine=False).double().eval()
        x = torch.randn(2, 6, 8, 8, dtype=torch.float64)
        expected = seeded(operator, x)
        last = operator.to(memory_format=torch.channels_last)
        y = seeded(last, x.to(memory_format=torch.channels_last))
        torch.testing.assert_close(y, expected)
        assert y.is_contiguous(memory_format=torch.channels_last)

    def test_declared_structure(self, name):
        """Where a record declares relu_first or norm_last, a module with weights is built so."""
        operator = get_operator(name)
        module = build_operator(name, 6, 2, affine=False)
        if operator.relu_first:
            assert type(module[0]) is nn.ReLU
        if operator.norm_last:
            assert type(module[-1]) is nn.BatchNorm2d


def sep_conv(c, k):
    return 2 * (c * k * k + c * c)


CLOSED_FORMS = {
    "sep_conv_3x3": lambda c: sep_conv(c, 3),
    "sep_conv_5x5": lambda c: sep_conv(c, 5),
    "sep_conv_7x7": lambda c: sep_conv(c, 7),
    "dil_conv_3x3": lambda c: c * 9 + c * c,
    "dil_conv_5x5": lambda c: c * 25 + c * c,
    "conv_7x1_1x7": lambda c: 2 * 7 * c * c,
    "conv_3x3": lambda c: 9 * c * c,
    "nor_conv_1x1": lambda c: c * c,
    "nor_conv_3x3": lambda c: 9 * c * c,
    "inverted_residual_3x3": lambda c: 2 * c * 6 * c + 9 * 6 * c,
    "sandglass_3x3": lambda c: 2 * 9 * c + 2 * c * max(1, c // 6),
}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [4, 16, 36])
@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_number_of_weights(name, channels, stride):
    """The weights of each convolution block, from its definition, at either stride."""
    operator = build_operator(name, channels, stride, affine=False)
    assert count(operator) == CLOSED_FORMS[name](channels)


def test_every_operator_with_weights_has_a_closed_form():
    """A new convolution block has to state its number of weights above."""
    assert set(CONVOLUTIONS) == set(CLOSED_FORMS)


@pytest.mark.parametrize("stride", [1, 2])
def test_noise(stride):
    """New in every pass, from the global generator, standard normal, independent of the input."""
    noise = build_operator("noise", 16, stride)
    x = torch.full((8, 16, 15, 15), 7.0)
    state = torch.get_rng_state()
    one, two = noise(x), noise(x)
    torch.set_rng_state(state)
    assert torch.equal(noise(x), one) and not torch.equal(one, two)
    assert abs(one.mean()) < 0.05 and abs(one.std() - 1) < 0.05


def seeded(operator, x):
    torch.manual_seed(4)
    return operator(x)


def norms(module):
    return [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())
