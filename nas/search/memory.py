"""The memory of a search step, by the order of its architect."""

import copy
import dataclasses

import torch
from torch import nn

from nas.config import SearchConfig
from nas.runtime.compute import Compute
from nas.runtime.step_memory import MemoryEstimate, estimate_memory
from nas.search.data import SearchData
from nas.search.method import Method, Progress
from nas.search.network import build_network
from nas.space import Space
from nas.supernet import Alphas

_SLOTS = {"first_order": 1, "second_order": 4, "second_order_exact": 4}
"""Numbers kept per weight in addition to itself and its gradient: the momentum; in the second order
also dL_train/dw, w' and dL_val/dw'."""
_GRAPHS = {"first_order": 1, "second_order": 1, "second_order_exact": 5}
"""Forward passes whose graph is kept. The exact second order keeps two, and what the backward pass
of the first leaves for its own derivative: 5.3 in all were measured (darts, C=8, 5 cells)."""


def estimate_search_memory(
    net: nn.Module, inputs: tuple, compute: Compute, order: str
) -> MemoryEstimate:
    """Estimate what a search step keeps; the arguments are those of `estimate_memory`.

    Args:
        net: The supernet.
        inputs: Images (N, C, H, W), of which only the shape is read, and the architecture weights.
        compute: The arithmetic.
        order: The order of the architect.
    """
    found = estimate_memory(net, inputs, compute, _SLOTS[order])
    return dataclasses.replace(found, image_bytes=_GRAPHS[order] * found.image_bytes)


def estimate_stages(
    config: SearchConfig,
    space: Space,
    net: nn.Module,
    alphas: Alphas,
    method: Method,
    data: SearchData,
    compute: Compute,
) -> MemoryEstimate:
    """Estimate the stage of a search that needs most, at its batch size."""
    estimates = [_estimate_stage(config, net, alphas, method, data, compute)]
    for later, kept in method.later_stages(space):
        with torch.random.fork_rng(devices=[]):
            net = compute.place(build_network(config, space, data, later))
        pruned = copy.deepcopy(alphas)
        pruned.prune(kept)
        estimates.append(_estimate_stage(config, net, pruned, later, data, compute))
    return max(estimates, key=lambda estimate: estimate.peak_mib(config.batch_size))


def _estimate_stage(
    config: SearchConfig,
    net: nn.Module,
    alphas: Alphas,
    method: Method,
    data: SearchData,
    compute: Compute,
) -> MemoryEstimate:
    images = torch.empty((2, *data.image_shape), device="meta")
    progress = Progress(0, config.epochs)
    noise = method.draw(alphas, progress, torch.Generator().manual_seed(config.seed))
    weights = method.arch_weights(alphas, progress, noise)
    detached = {group: group_weights.detach() for group, group_weights in weights.items()}
    return estimate_search_memory(net, (images, detached), compute, config.order)
