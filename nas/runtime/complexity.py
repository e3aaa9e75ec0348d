"""Parameters and multiply-adds of a network.

Multiply-adds are those of convolutions and linear layers for one image; bias, BatchNorm,
activations, pooling and sums are not counted, which is how the DARTS and MobileNeXt tables count.
"""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module, *, auxiliary: bool = True) -> int:
    """Count the parameters of a model.

    Args:
        model: Any module.
        auxiliary: Whether to count those of an auxiliary head, whose names start with
            "auxiliary". The tables of DARTS do not.
    """
    return sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if auxiliary or not name.startswith("auxiliary")
    )


def count_madds(model: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Count the multiply-adds of one image in eval mode, in which no auxiliary head runs.

    The model is run on the meta device: nothing is computed and nothing of it changes.

    Args:
        model: A network called as `model(images)`.
        image_shape: (C, H, W).
    """
    shadow = copy.deepcopy(model).to("meta").eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        shadow(torch.empty((1, *image_shape), device="meta"))
    return counter.get_total_flops() // 2  # a multiply-add is two floating point operations
