"""Half precision at every operator and block: types with autocast for a GPU, values on the CPU."""

from contextlib import contextmanager
from unittest import mock

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from nas.operators import build_operator, get_operator, list_operators
from nas.operators.blocks import build_block
from nas.search.method import Method
from nas.space.blocks import BLOCK_KINDS, Candidate
from nas.supernet import Alphas, Supernet
from tests.gpu.searches import space_of

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
DETERMINISTIC = [name for name in list_operators() if not get_operator(name).is_random]
CHANNELS = 12
WITH_SUM = ("inverted_residual_3x3",)
"""What adds its input at stride 1, so that the output has the wider type of the two."""
BLOCKS = {
    f"{Candidate(kind, 2, se=se).name} {place}": Candidate(kind, 2, se=se).block_at(*place)
    for kind in BLOCK_KINDS
    for se in ((False,) if kind == "conv" else (False, True))
    for place in ((8, CHANNELS, 1), (8, CHANNELS, 2), (CHANNELS, CHANNELS, 1))
}
"""Every block of a chain where it changes the width, also the resolution, or neither."""
RATIOS = (1, 0.5)
"""Of the channels that take the shortcut, where a block has one: the sum is in place."""


@contextmanager
def without_numbers():
    """Tensors on "cuda" that have a type and a shape, also without a GPU: forward passes only.

    The backward pass asks torch for a real GPU (torch 2.14), so that of steps is on `meta`.
    """
    with (
        mock.patch("torch.cuda.amp.common.amp_definitely_not_available", lambda: False),
        mock.patch("torch.cuda.is_bf16_supported", lambda *_: True),
        FakeTensorMode(),
        torch.device("cuda"),
    ):
        yield


def computes(module):
    """Whether there is something that autocast gives lower precision: a convolution."""
    return any(isinstance(layer, torch.nn.Conv2d) for layer in module.modules())


@pytest.mark.parametrize("dtype", [pytest.param("bf16", marks=pytest.mark.slow), "fp16"])
def test_types_of_every_operator_on_a_gpu(dtype):
    """Convolutions compute in half precision, the others in what they are given."""
    dtype = DTYPES[dtype]
    with without_numbers():
        x = torch.zeros(2, CHANNELS, 8, 8)
        for name in list_operators():
            for stride in (1, 2):
                operator = build_operator(name, CHANNELS, stride, affine=True)
                for given in (x, x.to(dtype)):
                    with torch.autocast("cuda", dtype):
                        y = operator(given)
                    expected = dtype if computes(operator) else given.dtype
                    if name in WITH_SUM and stride == 1:
                        expected = given.dtype
                    assert y.dtype is expected, f"{name}, stride {stride}, {given.dtype}"
                    assert y.device.type == "cuda" and y.shape[2] == 8 // stride


@pytest.mark.parametrize("dtype", DTYPES)
def test_types_of_every_block_on_a_gpu(dtype):
    """Half precision, as its last convolution; only a sum that is not in place widens it."""
    dtype = DTYPES[dtype]
    with without_numbers():
        for name, block in BLOCKS.items():
            x = torch.zeros(2, block.in_channels, 8, 8)
            for ratio in RATIOS:
                module = build_block(block, identity_ratio=ratio)
                for given in (x, x.to(dtype)):
                    with torch.autocast("cuda", dtype):
                        y = module(given)
                    widens = block.kind == "inverted_residual" and block.has_shortcut
                    assert y.dtype is (given.dtype if widens else dtype), f"{name}, {given.dtype}"
                    size = 8 // block.stride
                    assert y.shape == (2, CHANNELS, size, size) and y.device.type == "cuda"


def test_types_of_a_supernet_on_a_gpu():
    """Sums of operators in both precisions; what is trained and its statistics stay fp32."""
    space = space_of(("none", "skip_connect", "avg_pool_3x3", "sep_conv_3x3", "sandglass_3x3"))
    with without_numbers():
        net = Supernet(space, init_channels=4, num_cells=3)
        alphas = Alphas(space)
        with torch.autocast("cuda", torch.float16):
            logits = net(torch.zeros(2, 3, 16, 16), Method().distribution(alphas, (0, 1)))
            loss = torch.nn.functional.cross_entropy(logits, torch.zeros(2, dtype=torch.int64))
        assert logits.dtype is torch.float16 and loss.dtype is torch.float32
        kept = [*net.parameters(), *alphas.parameters(), *net.buffers()]
        assert {x.dtype for x in kept} == {torch.float32, torch.int64}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_values_in_bf16_on_a_cpu(name, stride):
    """Output and gradients of operators are those of fp32."""
    torch.manual_seed(0)
    check_values(build_operator(name, CHANNELS, stride, affine=False), CHANNELS, 0.1)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", BLOCKS)
def test_values_of_blocks_in_bf16_on_a_cpu(name, ratio):
    """Output and gradients of blocks are those of fp32."""
    torch.manual_seed(0)
    block = BLOCKS[name]
    check_values(build_block(block, identity_ratio=ratio), block.in_channels, 0.15)


def check_values(module, in_channels, limit_of_gradients):
    """Output and gradients are those of fp32, up to the 8 bits of bfloat16.

    Gradients have a wider limit: what rounds to the other side of an activation changes them most,
    and a block has two. The largest error of a block is 0.096.
    """
    module.to(memory_format=torch.channels_last)
    x = torch.randn(16, in_channels, 8, 8).to(memory_format=torch.channels_last).requires_grad_()
    exact = values(module, x)
    with torch.autocast("cpu", torch.bfloat16):
        half = values(module, x)
    for one, expected, limit in zip(
        half, exact, (0.02, limit_of_gradients, limit_of_gradients), strict=True
    ):
        error = (one - expected).norm() / expected.norm().clamp_min(1e-3)
        assert error < limit, f"relative error {error:.3f}"


def values(module, x):
    """The output, the gradient of x and those of the weights."""
    y = module(x)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", enabled=False):
        gradients = torch.autograd.grad((y.float() * direction).sum(), [x, *module.parameters()])
    assert all(gradient.dtype is torch.float32 for gradient in gradients)
    return y.float(), gradients[0], flat(gradients[1:])


def flat(tensors):
    """All numbers of tensors, of which there may be none."""
    return torch.cat([torch.empty(0), *(tensor.flatten() for tensor in tensors)])
