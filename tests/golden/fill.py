"""The rules by which the golden files fill weights, images and alphas; they stand in the files."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn

GOLDEN = Path(__file__).parent


def load(name):
    return json.loads((GOLDEN / name).read_text())


def hashed(shape, seed):
    """Return the hash rule's tensor in [-0.5, 0.5), float64."""
    mask = 0xFFFFFFFF
    x = np.arange(math.prod(shape), dtype=np.uint64)
    x = (x + np.uint64(0x9E3779B9 * (seed + 1) & mask)) & np.uint64(mask)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(mask)
    x ^= x >> np.uint64(16)
    return torch.from_numpy(x.astype(np.float64) / 2**32 - 0.5).reshape(shape)


@torch.no_grad()
def fill_weights(model):
    """Fill every convolution, linear layer and BatchNorm by the rule; returns the model, double."""
    model.double()
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = module.weight
            fan_in = weight.numel() / weight.shape[0]
            scale = math.sqrt(12) * math.sqrt(2 / fan_in)
            weight.copy_(hashed(tuple(weight.shape), seed=weight.dim()) * scale)
            if module.bias is not None:
                module.bias.copy_(0.01 * hashed(tuple(module.bias.shape), seed=1))
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            if module.affine:
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
    return model


def batch(num, offset, size=32):
    """Return images (num, 3, size, size) and targets by the rule."""
    images = hashed((num, 3, size, size), seed=100 + offset) * math.sqrt(12)
    return images, torch.arange(offset, offset + num) % 10


@torch.no_grad()
def fill_alphas(alphas):
    alphas.double()
    edge = torch.arange(alphas.normal.shape[0], dtype=torch.float64)[:, None]
    primitive = torch.arange(alphas.normal.shape[1], dtype=torch.float64)[None, :]
    alphas.normal.copy_(0.1 * torch.sin(1.7 * edge + 0.9 * primitive))
    alphas.reduce.copy_(0.1 * torch.cos(1.3 * edge + 0.6 * primitive))
    return alphas
