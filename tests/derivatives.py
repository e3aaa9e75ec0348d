"""A form of ours against torch's own, in float64: outputs, gradients and curvature, to 1e-8.

Gradients are taken twice: by the backward pass alone, and with a graph through it, which may be
another form. The curvature is a Hessian-vector product of a smooth function of the outputs.
"""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

TOLERANCE = {"rtol": 1e-8, "atol": 1e-8}
FORMATS = pytest.mark.parametrize(
    "memory_format",
    [torch.contiguous_format, torch.channels_last],
    ids=["contiguous", "channels_last"],
)


def leaf(*shape: int, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
    """Return standard normal numbers, with a gradient."""
    x = torch.randn(shape, dtype=torch.float64)
    return x.to(memory_format=memory_format).requires_grad_()


def derivatives(outputs: Tensor | Sequence[Tensor], inputs: Sequence[Tensor]) -> dict[str, tuple]:
    """Return outputs, both gradients and the curvature along fixed directions.

    Args:
        outputs: Computed from the inputs.
        inputs: Leaves; one that nothing depends on has a derivative of zero.
    """
    outputs = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    generator = torch.Generator().manual_seed(0)

    def directions(tensors):
        return [torch.randn(x.shape, dtype=x.dtype, generator=generator) for x in tensors]

    def gradients(values, along, **settings):
        return torch.autograd.grad(
            values, inputs, along, allow_unused=True, materialize_grads=True, **settings
        )

    along = directions(outputs)
    alone = gradients(outputs, along, retain_graph=True)
    smooth = [output.sin() for output in outputs]
    graph = gradients(smooth, along, create_graph=True)
    moved = [(gradient * v).sum() for gradient, v in zip(graph, directions(inputs), strict=True)]
    return {
        "outputs": outputs,
        "gradients": alone,
        "gradients with a graph": graph,
        "curvature": gradients(sum(moved), None),
    }


def assert_same(found: dict[str, tuple], expected: dict[str, tuple]) -> None:
    """Hold two results of `derivatives` together, and more tensors that were added to them."""
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(
            found[name], expected[name], **TOLERANCE, msg=lambda text, name=name: f"{name}: {text}"
        )


def assert_same_modules(found: nn.Module, expected: nn.Module, x: Tensor) -> None:
    """Hold two modules together, in all derivatives by x and the parameters, and in their buffers.

    Args:
        found: The form; it must not change x.
        expected: torch's own, with equal parameters in the same order.
        x: A leaf.
    """
    before, results = x.detach().clone(), []
    for module in (found, expected):
        result = derivatives(module(x), (x, *module.parameters()))
        results.append({**result, "buffers": tuple(module.buffers())})
        assert torch.equal(x, before)
    assert_same(*results)
