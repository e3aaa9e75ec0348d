"""The GPU that does not exist notices what a real one would wait for."""

import pytest
import torch

from nas.runtime.device import to_device
from tests.gpu.fake import GPU, Wait, fake_gpu

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


def test_two_devices_are_an_error():
    with fake_gpu(), pytest.raises(RuntimeError, match="add: tensors on the GPU and on the host"):
        torch.zeros(2, device=GPU) + torch.ones(2)


def test_a_size_that_depends_on_numbers_is_an_error():
    with fake_gpu():
        x = torch.zeros(2, device=GPU)
        with pytest.raises(NotImplementedError, match="nonzero"):
            x[x > 0]
