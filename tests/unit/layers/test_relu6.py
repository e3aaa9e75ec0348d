"""ReLU6 and its gradient."""

import pytest
import torch
import torch.nn.functional as F

from nas.layers import ReLU6
from tests.derivatives import FORMATS, assert_same, derivatives, leaf


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


class TestReLU6:
    @FORMATS
    def test_output_and_derivatives(self, memory_format):
        """Those of torch's, at 0 and 6 too; it changes its input."""
        x = 8 * leaf(2, 3, 4, 5, memory_format=memory_format).detach()
        x[0, 0, 0] = torch.tensor([-1.0, 0.0, 1e-9, 6.0, 7.0])
        x.requires_grad_()
        for before in (lambda x: x * 1, lambda x: x * x):
            y = before(x)
            found = ReLU6()(y)
            assert found is y
            expected = F.relu6(before(x))
            assert_same(derivatives(found, (x,)), derivatives(expected, (x,)))

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
        x = leaf(4) * 1
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor
        ):
            y = ReLU6()(x)
        assert [tensor.data_ptr() for tensor in saved] == [y.data_ptr()]
