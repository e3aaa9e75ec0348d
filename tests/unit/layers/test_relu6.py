"""ReLU6 and its gradient."""

import pytest
import torch
import torch.nn.functional as F

from nas.layers import (
    ReLU6,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def randn(*shape, **settings):
    return torch.randn(*shape, dtype=torch.float64, **settings)


class TestReLU6:
    def test_output_and_both_derivatives(self):
        """Those of torch's, at 0 and 6 too; it changes its input."""
        x = torch.tensor([-1.0, 0.0, 1e-9, 3.0, 6.0, 7.0], dtype=torch.float64, requires_grad=True)
        direction = randn(6)
        y = x * 1
        found = ReLU6()(y)
        assert found is y
        expected = F.relu6(x)
        torch.testing.assert_close(found, expected)
        gradients = [torch.autograd.grad(z, x, direction) for z in (found, expected)]
        torch.testing.assert_close(*gradients)
        smooth = torch.tensor([-1.0, 0.5, 5.0, 8.0], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradgradcheck(lambda x: ReLU6()(x * x), (smooth,))

    @pytest.mark.filterwarnings("ignore:The .grad attribute")
    def test_compiled(self):
        """A compiler does not see that a function of ours changes x; torch's own form runs."""
        x = torch.tensor([-1.0, 3.0, 7.0], requires_grad=True)
        layer = torch.compile(ReLU6(), backend="aot_eager")
        (gradient,) = torch.autograd.grad(layer(x * 1).sum(), x)
        assert gradient.tolist() == [0, 1, 0]

    def test_keeps_its_output_only(self):
        """One tensor, the one that it returns."""
        saved = []
        x = randn(4, requires_grad=True) * 1
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor
        ):
            y = ReLU6()(x)
        assert [tensor.data_ptr() for tensor in saved] == [y.data_ptr()]
