"""The memory of a search step, by the order of its architect."""

import dataclasses

from torch import nn

from nas.runtime.compute import Compute
from nas.runtime.step_memory import MemoryEstimate, estimate_memory

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
