"""Parameters and multiply-adds of a network.

Multiply-adds are those of convolutions and linear layers for one image. Bias, BatchNorm,
activations, pooling and sums are not counted, as in the tables of DARTS and MobileNeXt.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nas.records import Cost, LayerCost

AUXILIARY = "auxiliary"
"""The names of the parameters of an auxiliary head start with this."""
_FREE = (nn.BatchNorm2d, nn.ReLU, nn.ReLU6)
"""Layers that count nothing and keep shapes; without them a count takes a third of the time."""


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
        if auxiliary or not name.startswith(AUXILIARY)
    )


def count_madds(model: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Count the multiply-adds of one image in eval mode, in which no auxiliary head runs.

    The model is run on the meta device: nothing is computed and nothing of it changes.

    Args:
        model: A network called as `model(images)`.
        image_shape: (C, H, W).
    """
    shadow = _shadow(model)
    for module in shadow.modules():
        if type(module) in _FREE:
            module.forward = _unchanged  # the layer stays, for code that looks at its settings
    return _run(shadow, image_shape).get_total_flops() // 2


def measure_cost(model: nn.Module, image_shape: tuple[int, int, int]) -> Cost:
    """Count parameters and multiply-adds, in total and by layer.

    Args:
        model: A network called as `model(images)`; it is not changed.
        image_shape: (C, H, W).
    """
    shadow = _shadow(model)
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def record(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            shapes[module] = tuple(output.shape[1:])

    leaves = {name: module for name, module in shadow.named_modules() if not [*module.children()]}
    for module in leaves.values():
        module.register_forward_hook(record)
    counter = _run(shadow, image_shape)
    flops = counter.get_flop_counts()
    root = type(shadow).__name__
    layers = []
    for name, module in leaves.items():
        num_parameters = sum(parameter.numel() for parameter in module.parameters())
        # A multiply-add is two floating point operations.
        madds = sum(flops.get(f"{root}.{name}", {}).values()) // 2
        if num_parameters or madds:
            kind, shape = type(module).__name__, shapes.get(module, ())
            layers.append(LayerCost(name, kind, shape, num_parameters, madds))
    return Cost(
        image_shape=tuple(image_shape),
        num_parameters=count_parameters(model, auxiliary=False),
        num_parameters_with_auxiliary=count_parameters(model),
        madds=counter.get_total_flops() // 2,
        layers=tuple(layers),
    )


def _shadow(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).to("meta").eval()


def _unchanged(x: Tensor) -> Tensor:
    return x


def _run(shadow: nn.Module, image_shape: tuple[int, int, int]) -> FlopCounterMode:
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        shadow(torch.empty((1, *image_shape), device="meta"))
    return counter
