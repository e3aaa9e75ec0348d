"""Micro-batches and loss scaling change how an alpha gradient is computed, not what it is."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.operators import resolve
from nas.runtime.compute import Compute
from nas.search import Architect
from nas.space import load_space
from nas.supernet import Alphas, Supernet

CPU = torch.device("cpu")


def make(order, dtype=torch.float64, **settings):
    """An architect of a small supernet, and two batches."""
    torch.manual_seed(0)
    space = load_space("s3+max_pool_3x3+sandglass_3x3")
    resolve(space)
    net = Supernet(space, init_channels=2, num_cells=3).to(dtype)
    alphas = Alphas(space, init_std=1.0).to(dtype)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    architect = Architect(net, alphas, cross_entropy, optimizer, order=order, **settings)
    batches = [(torch.randn(6, 3, 8, 8, dtype=dtype), torch.arange(6)) for _ in range(2)]
    return architect, batches


@pytest.mark.parametrize("order", ["first_order", "second_order"])
def test_micro_batches_give_the_gradient_of_the_batch(order):
    """Where BatchNorm uses its running statistics; where it normalises the batch it differs."""
    results = {}
    for training in (False, True):
        for size in (None, 4):
            architect, batches = make(order, compute=Compute(CPU, micro_batch=size))
            architect.net.train(training)
            results[training, size] = architect.gradient(*batches)
    torch.testing.assert_close(results[False, 4], results[False, None], rtol=1e-9, atol=1e-12)
    assert (results[True, 4].normal - results[True, None].normal).abs().max() > 1e-6


def test_loss_scale():
    """The gradient is scaled, the step of a scaled optimiser is the plain one."""
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    plain, batches = make("first_order")
    scaled, _ = make("first_order", scaler=scaler)
    found, expected = scaled.gradient(batches[0]), plain.gradient(batches[0])
    torch.testing.assert_close(found.normal, 8 * expected.normal, rtol=1e-9, atol=1e-12)
    assert torch.equal(found.val_loss, expected.val_loss)
    for architect, own in ((plain, torch.amp.GradScaler(enabled=False)), (scaled, scaler)):
        optimizer = torch.optim.SGD(architect.alphas.parameters(), lr=1.0)
        architect.step(batches[0])
        own.step(optimizer)
        own.update()
    torch.testing.assert_close(scaled.alphas.normal, plain.alphas.normal, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
# The compiler looks at the .grad of every tensor it is handed, and torch warns of that.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_a_compiled_network_gives_the_same_gradient():
    """Traced and differentiated by the compiler's front end, weights handed in as tensors."""
    results = []
    for compiled in (False, True):
        architect, batches = make("second_order")
        if compiled:
            architect.net.compile(backend="aot_eager")
        results.append(architect.gradient(*batches))
    torch.testing.assert_close(results[1], results[0], rtol=1e-9, atol=1e-12)


def test_autocast_reaches_the_alpha_gradient():
    """In bfloat16 the gradient points where that of fp32 does, and is not the same."""
    results = []
    for dtype in (None, torch.bfloat16):
        architect, batches = make("first_order", torch.float32, compute=Compute(CPU, dtype))
        results.append(architect.gradient(batches[0]))
    exact, half = (result.normal.flatten() for result in results)
    assert half.dtype is torch.float32 and not torch.equal(exact, half)
    assert torch.cosine_similarity(exact, half, dim=0) > 0.95
