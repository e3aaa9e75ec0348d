"""The memory estimate against a count by hand, and the error when memory has run out."""

import pytest
import torch
from torch import nn

from nas.cli.memory_advice import describe_memory, explained_out_of_memory
from nas.errors import TrainingError
from nas.runtime.compute import Compute
from nas.runtime.memory import MemoryEstimate, estimate_memory

COMPUTE = Compute(torch.device("cpu"))
MIB = 2**20


def test_estimate_counts_what_is_kept():
    """Input of the convolution, input and statistics of the BatchNorm, output of the ReLU."""
    net = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU())
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found = estimate_memory(net, (torch.empty(2, 3, 8, 8),), COMPUTE)
    image, feature = 3 * 8 * 8 * 4, 5 * 8 * 8 * 4
    statistics = 2 * 5 * 4
    assert found.image_bytes == image + 2 * feature + statistics / 2
    weights = (5 * 3 * 9 + 5 + 5 + 5) * 4
    buffers = 2 * 5 * 4 + 8
    assert found.fixed_bytes == 3 * weights + buffers
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    half = estimate_memory(net, (torch.empty(2, 3, 8, 8),), Compute(COMPUTE.device, torch.bfloat16))
    assert half.image_bytes == found.image_bytes / 2


def test_estimate_draws_nothing_from_the_run():
    """A network with dropout is the same run with and without the estimate."""
    state = torch.get_rng_state()
    estimate_memory(nn.Dropout(0.5), (torch.empty(2, 4),), COMPUTE)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_advice_fits():
    """Of the divisors of the batch, the largest that fits."""
    estimate = MemoryEstimate(fixed_bytes=100 * MIB, image_bytes=10 * MIB)
    assert estimate.peak_mib(64) == 740
    assert estimate.largest_fitting(64, 740) == 32  # a proper divisor
    assert estimate.largest_fitting(64, 300) == 16
    assert estimate.largest_fitting(64, 110) is None


def test_out_of_memory_names_what_would_fit(monkeypatch):
    """A real allocation that fails, with and without settings that fit."""
    monkeypatch.setattr("nas.cli.memory_advice.total_memory_mib", lambda device: 1000.0)
    small = MemoryEstimate(100 * MIB, 10 * MIB)
    with (
        pytest.raises(TrainingError, match=r"out of memory: .* try --micro_batch 32 \(about 420"),
        explained_out_of_memory(lambda: small, 128, COMPUTE),
    ):
        torch.empty(10**15)
    with (
        pytest.raises(TrainingError, match="smaller network"),
        explained_out_of_memory(lambda: MemoryEstimate(2000 * MIB, 1), 128, COMPUTE),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory")
    with (
        pytest.raises(RuntimeError, match="shapes"),
        explained_out_of_memory(lambda: small, 128, COMPUTE),
    ):
        raise RuntimeError("shapes do not fit")


def test_a_run_that_will_not_fit_is_announced(monkeypatch):
    """The line before a run warns and advises."""
    monkeypatch.setattr("nas.cli.memory_advice.total_memory_mib", lambda device: 1000.0)
    estimate = MemoryEstimate(100 * MIB, 10 * MIB)
    assert describe_memory(estimate, 64, COMPUTE).endswith("1000 MiB in all")
    assert "try --micro_batch 32" in describe_memory(estimate, 128, COMPUTE)
    with_parts = Compute(COMPUTE.device, micro_batch=8)
    assert describe_memory(estimate, 128, with_parts).startswith("memory: about 180 MiB")
