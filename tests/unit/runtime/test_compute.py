"""The arithmetic of a run: what is chosen, what is refused, and what a micro-batch is."""

import pytest
import torch
from torch import nn

from nas.config import ComputeConfig
from nas.errors import ConfigError
from nas.runtime.compute import Compute, describe_compute, select_compute

CPU = torch.device("cpu")


def test_auto_is_exact():
    """Auto is fp32 on all devices, channels last, not compiled; the log says so."""
    compute = select_compute(ComputeConfig(device="cpu"))
    assert compute == Compute(CPU, memory_format=torch.channels_last)
    assert describe_compute(compute) == "cpu, fp32, channels_last, not compiled"


def test_settings_are_taken():
    """Each setting has its effect on networks and batches."""
    config = ComputeConfig("cpu", precision="bf16", micro_batch=4)
    compute = select_compute(config)
    assert describe_compute(compute) == "cpu, bf16, channels_last, not compiled, micro-batches of 4"
    images, _ = compute.to_device((torch.randn(2, 3, 4, 4), torch.arange(2)))
    assert images.is_contiguous(memory_format=torch.channels_last)
    net = compute.place(nn.Conv2d(3, 4, 3))
    assert net.weight.is_contiguous(memory_format=torch.channels_last)
    with compute.autocast():
        assert net(images).dtype is torch.bfloat16
    with Compute(CPU).autocast():
        assert net(images).dtype is torch.float32
    assert not compute.scaler().is_enabled()
    assert Compute(CPU, torch.float16).scaler().is_enabled()


def test_what_the_device_cannot(monkeypatch):
    """fp16 on a CPU, bf16 on an old GPU, a GPU that is not there: an error that says what can."""
    with pytest.raises(ConfigError, match="fp16 needs a GPU; use bf16 or fp32"):
        select_compute(ComputeConfig("cpu", precision="fp16"))
    with monkeypatch.context() as context:
        context.setattr(torch.cuda, "is_available", lambda: True)
        context.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
        with pytest.raises(ConfigError, match="does not support bf16; use fp16 or fp32"):
            select_compute(ComputeConfig("cuda", precision="bf16"))
        assert select_compute(ComputeConfig("cuda", precision="fp16")).device.type == "cuda"


@pytest.fixture
def places():
    """Where torch keeps what a GPU does with fp32; afterwards they are what they were."""
    found = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [place.allow_tf32 for place in found]
    yield found
    for place, allowed in zip(found, before, strict=True):
        place.allow_tf32 = allowed


def test_fp32_is_that_of_ieee_and_tf32_is_asked_for(places, monkeypatch):
    """A GPU may round the factors of its products only where the setting says so; the log does."""
    for place in places:
        place.allow_tf32 = True
    select_compute(ComputeConfig("cpu"))
    assert [place.allow_tf32 for place in places] == [False, False]
    assert torch.backends.cudnn.conv.fp32_precision != "tf32"
    torch.export.export(nn.Conv2d(1, 1, 1), (torch.ones(1, 1, 2, 2),))  # reads the flags
    with pytest.raises(ConfigError, match="tf32 needs a GPU; use bf16 or fp32"):
        select_compute(ComputeConfig("cpu", precision="tf32"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(ConfigError, match="does not support tf32; use fp16 or fp32"):
        select_compute(ComputeConfig("cuda", precision="tf32"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    compute = select_compute(ComputeConfig("cuda", precision="tf32"))
    assert describe_compute(compute) == "cuda, tf32, channels_last, not compiled"
    assert [place.allow_tf32 for place in places] == [True, True]
    assert compute.autocast_dtype is None


def test_without_a_compiler(monkeypatch, caplog):
    """The run goes on uncompiled, and says so."""

    def broken(function, **settings):
        raise RuntimeError("no C++ compiler\nand a long trace")

    monkeypatch.setattr(torch, "compile", broken)
    assert select_compute(ComputeConfig("cpu", compile="default")).compile_mode is None
    assert caplog.messages == ["`compile` default has no effect: no C++ compiler"]


def test_micro_batches_are_the_batch():
    """Every image comes once and in order, and the shares add up the mean."""
    images, targets = torch.randn(7, 1, 2, 2), torch.arange(7)
    parts = list(Compute(CPU, micro_batch=3).split((images, targets)))
    assert [len(part[1]) for part, _ in parts] == [3, 2, 2]
    assert torch.equal(torch.cat([part[0] for part, _ in parts]), images)
    mean = sum(share * part[1].double().mean() for part, share in parts)
    assert mean.item() == pytest.approx(3.0)
    assert [share for _, share in Compute(CPU).split((images, targets))] == [1.0]


@pytest.mark.parametrize("micro_batch", [2, 3, 48])
@pytest.mark.parametrize("num", [2, 3, 4, 48, 49, 95, 96])
def test_no_micro_batch_is_a_single_image(num, micro_batch):
    """The last batch of an epoch may be of any size; each part trains a BatchNorm on 1x1 maps."""
    net = nn.BatchNorm2d(2)
    batch = (torch.randn(num, 2, 1, 1), torch.arange(num))
    sizes = []
    for (images, _), share in Compute(CPU, micro_batch=micro_batch).split(batch):
        net(images)
        sizes.append(len(images))
        assert share == len(images) / num
    assert sum(sizes) == num
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= micro_batch + (micro_batch == 2 and num % 2)


def test_a_micro_batch_must_divide_the_batch():
    """The error names what is allowed."""
    with pytest.raises(ConfigError, match=r"found 5, .* `batch_size` 8; allowed are 2, 4, 8"):
        ComputeConfig(micro_batch=5).check_compute(8)
    ComputeConfig(micro_batch=4).check_compute(8)


def test_cuda_graphs_take_whole_batches():
    """A graph's outputs are overwritten by its next pass, so micro-batches are refused."""
    config = ComputeConfig(compile="reduce-overhead", micro_batch=4)
    with pytest.raises(ConfigError, match="micro_batch: not with `compile` reduce-overhead"):
        config.check_compute(8)
    ComputeConfig(compile="reduce-overhead").check_compute(8)
