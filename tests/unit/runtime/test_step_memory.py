"""The memory estimate against a count by hand, and the error when memory has run out."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from nas.errors import TrainingError
from nas.operators import resolve
from nas.runtime.compute import Compute
from nas.runtime.step_memory import MemoryEstimate, StepMemory, estimate_memory
from nas.space import load_space
from nas.supernet import Alphas, Supernet

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
    assert half.image_bytes == pytest.approx(found.image_bytes / 2, rel=0.1)


def test_estimate_for_a_gpu_needs_none():
    """There it runs on shapes alone, with torch's own layers, and halves for half precision."""
    net = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU())
    images = torch.empty(2, 3, 8, 8)
    found, half = (
        estimate_memory(net, (images,), Compute(torch.device("cuda"), dtype), num_slots=3)
        for dtype in (None, torch.bfloat16)
    )
    assert found.image_bytes == 3 * 8 * 8 * 4 + 2 * 5 * 8 * 8 * 4 + 5 * 4
    assert half.image_bytes == found.image_bytes / 2
    assert found.fixed_bytes == 5 * (5 * 3 * 9 + 15) * 4 + 2 * 5 * 4 + 8


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_estimate_is_what_a_larger_batch_keeps(memory_format):
    """Two images tell what eight of a supernet keep, in the layers of a CPU, within 10 %."""
    torch.manual_seed(0)
    space = load_space("darts+sandglass")
    resolve(space)
    compute = Compute(torch.device("cpu"), memory_format=memory_format)
    net = compute.place(Supernet(space, init_channels=4, num_cells=4).train())
    weights = tuple(row.detach() for row in Alphas(space).weights())
    found = estimate_memory(net, (torch.empty(2, 3, 32, 32, device="meta"), weights), compute)
    own = {tensor.untyped_storage().data_ptr() for tensor in (*net.parameters(), *net.buffers())}
    kept, held = {}, []

    def count(tensor):
        held.append(tensor)
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    images, _ = compute.to_device((torch.randn(8, 3, 32, 32), torch.arange(8)))
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        output = net(images, weights)
    measured = sum(size for pointer, size in kept.items() if pointer not in own)
    assert len(output) == 8
    assert 8 * found.image_bytes == pytest.approx(measured, rel=0.1)


RISE = """
import resource, sys, torch
from nas.operators import resolve
from nas.runtime.compute import Compute
from nas.search import Architect, estimate_search_memory
from nas.space import load_space
from nas.supernet import Alphas, Supernet
loss = torch.nn.functional.cross_entropy
space = load_space("darts")
resolve(space)
compute = Compute(torch.device("cpu"), memory_format=torch.channels_last)
net = compute.place(Supernet(space, init_channels=8, num_cells=5).train())
alphas = Alphas(space)
weights = tuple(row.detach() for row in alphas.weights())
inputs = (torch.empty(2, 3, 32, 32, device="meta"), weights)
estimate = estimate_search_memory(net, inputs, compute, sys.argv[1])
optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9)
architect = Architect(net, alphas, loss, optimizer, order=sys.argv[1], compute=compute)
peaks = []
for num in (2, 24):
    batch = compute.to_device((torch.randn(num, 3, 32, 32), torch.arange(num) % 10))
    architect.step(batch, batch)
    loss(net(batch[0], weights), batch[1]).backward()
    # Not ru_maxrss, which begins with the peak of the process that started this one.
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    peaks.append(float(status["VmHWM"].split()[0]) / 1024)
print(estimate.peak_mib(24) - estimate.peak_mib(2), peaks[1] - peaks[0])
"""


@pytest.mark.slow
@pytest.mark.parametrize("order", ["first_order", "second_order", "second_order_exact"])
def test_estimate_is_what_a_process_takes(order):
    """The rise of the peak memory of a process from batch 2 to 24 is within a factor of 1.5."""
    done = subprocess.run(
        [sys.executable, "-c", RISE, order], capture_output=True, text=True, check=True
    )
    estimated, measured = map(float, done.stdout.split())
    assert measured / 1.5 < estimated < measured * 1.5


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


def step_memory(estimate, batch_size=128, compute=COMPUTE, **settings):
    return StepMemory(compute, batch_size, estimate=lambda: estimate, **settings)


def message_of(memory, error=None):
    """What is said when memory runs out; without an error by an allocation that fails."""
    with pytest.raises(TrainingError) as caught, memory.explained():
        if error is not None:
            raise error
        torch.empty(10**15)
    return str(caught.value)


@pytest.fixture
def gigabyte(monkeypatch):
    monkeypatch.setattr("nas.runtime.step_memory.total_memory_mib", lambda device: 1000.0)


SMALL = MemoryEstimate(100 * MIB, 10 * MIB)


def test_out_of_memory_names_what_would_fit(gigabyte):
    """A real allocation that fails, with and without settings that fit."""
    message = message_of(step_memory(SMALL))
    assert "out of memory: a step needs about 1380 MiB" in message
    assert "try `micro_batch` 32 (about 420 MiB" in message
    assert "another run with `batch_size` 32" in message
    error = torch.OutOfMemoryError("CUDA out of memory")
    assert "smaller network" in message_of(step_memory(MemoryEstimate(2000 * MIB, 1)), error)
    with pytest.raises(RuntimeError, match="shapes"), step_memory(SMALL).explained():
        raise RuntimeError("shapes do not fit")


def test_the_advice_can_be_followed(gigabyte):
    """A batch that may not be split is not to be split; a process has its share of the batch."""
    message = message_of(step_memory(SMALL, can_split=False))
    assert "micro_batch" not in message and "`batch_size` 32" in message
    message = message_of(step_memory(SMALL, batch_size=256, num_processes=2))
    assert "about 1380 MiB" in message
    assert "`micro_batch` 32" in message and "`batch_size` 64" in message


def test_out_of_memory_before_there_is_a_network(gigabyte):
    """Then it was the images."""
    message = message_of(StepMemory(COMPUTE, 128))
    assert "before the first step" in message and "`max_images`" in message


def test_a_run_that_will_not_fit_is_announced(gigabyte):
    """The line before a run warns and advises."""
    assert step_memory(SMALL, 64).describe().endswith("1000 MiB in all")
    assert "try `micro_batch` 32" in step_memory(SMALL).describe()
    with_parts = step_memory(SMALL, compute=Compute(COMPUTE.device, micro_batch=8))
    assert with_parts.describe().startswith("memory: about 180 MiB")
