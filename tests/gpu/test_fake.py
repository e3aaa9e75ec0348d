"""The GPU that does not exist notices what a real one would wait for."""

import pytest
import torch

from nas.runtime.device import to_device
from tests.gpu.fake import GPU, Autocast, Wait, fake_gpu

WAITS = {
    "item": ("read", lambda x: x.sum().item()),
    "bool": ("read", lambda x: bool(x.sum() > 0)),
    "int": ("read", lambda x: int(x.sum())),
    "tolist": ("copy to the host", lambda x: x.tolist()),
    "cpu": ("copy to the host", lambda x: x.cpu()),
    "copy_": ("copy to the host", lambda x: torch.empty(2, 3).copy_(x)),
    "equal": ("read", lambda x: torch.equal(x, x)),
    "to": ("copy from the host", lambda x: torch.ones(2).to(x.device)),
    "tensor": ("copy from the host", lambda x: torch.tensor([1.0, 2.0], device=x.device)),
    "not_pinned": ("copy from the host", lambda x: torch.ones(2).to(x.device, non_blocking=True)),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_wait_is_noted(name):
    what, do = WAITS[name]
    with fake_gpu() as gpu:
        x = torch.zeros(2, 3, device=GPU)
        with gpu.counted() as found:
            do(x)
    assert found == [Wait(what, "a test")]


def test_what_does_not_wait():
    """Kernels, new tensors on the GPU, pinned copies, numbers of the host, a step of SGD."""
    with fake_gpu() as gpu:
        x = torch.zeros(2, 3, device=GPU, requires_grad=True)
        optimizer = torch.optim.SGD([x], 0.1, momentum=0.9)
        with gpu.counted() as found:
            to_device(torch.ones(2, 3), GPU).add_(1)
            (x.exp() * torch.ones(3, device=GPU)).sum().backward()
            optimizer.step()
            assert torch.ones(2).sum().item() == 2 and x.grad.device == GPU
    assert found == []


@pytest.mark.parametrize("number", [0.0, float("nan")])
def test_what_floats_read_as(number):
    """Where a number is read, and where a tensor is copied; booleans and integers stay 1."""
    with fake_gpu() as gpu:
        x = torch.zeros(2, device=GPU)
        gpu.number = number
        found = torch.tensor([x.sum().item(), *x.tolist(), *torch.zeros(1).copy_(x[:1])])
        assert torch.equal(found.isnan(), torch.full((4,), number != number))
        assert number != number or not found.any()
        assert bool(x.sum() > 0) and (x > 0).tolist() == [True, True]
        assert int(x.argmax()) == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_types_of_half_precision(dtype):
    """Networks compute in it, losses, normalization statistics and gradients are fp32."""
    with fake_gpu():
        net = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3),
            torch.nn.BatchNorm2d(4),
            torch.nn.Flatten(),
            torch.nn.Linear(144, 2),
        ).to(GPU)
        seen = []
        for layer in net:
            layer.register_forward_hook(lambda *given: seen.append(given[-1].dtype))
        with Autocast(dtype):
            logits = net(torch.zeros(2, 3, 8, 8, device=GPU))
            loss = torch.nn.functional.cross_entropy(
                logits, torch.zeros(2, dtype=torch.int64, device=GPU)
            )
        loss.backward()
    assert seen == 4 * [dtype] and loss.dtype is torch.float32
    assert {x.grad.dtype for x in net.parameters()} == {torch.float32}
    assert {x.dtype for x in net.buffers()} == {torch.float32, torch.int64}


def test_two_devices_are_an_error():
    with fake_gpu(), pytest.raises(RuntimeError, match="add: tensors on the GPU and on the host"):
        torch.zeros(2, device=GPU) + torch.ones(2)


def test_a_size_that_depends_on_numbers_is_an_error():
    with fake_gpu():
        x = torch.zeros(2, device=GPU)
        with pytest.raises(NotImplementedError, match="nonzero"):
            x[x > 0]
