"""A layer of a chain timed as it is in a network: between two ends, which are then subtracted.

A layer alone in a session also pays for the call, for bringing its input into the memory layout of
the runtime, and for bringing its output back; in a network only the first and the last layer do.
With e(s) an end, a cheap layer that keeps a tensor of shape s, and R copies of layer l from shape
s to shape s', what is timed is

    T(e(s), l, ..., l, e(s'))    R = 3 where s' = s, else 1
    T(e(s), e(s))                for each shape

and the latency of a layer is

    c(l)    = (T(e(s), l, ..., l, e(s')) - T(e(s), e(s)) / 2 - T(e(s'), e(s')) / 2) / R
    c(stem) = T(stem, e(s')) - T(e(s'), e(s')) / 2
    c(head) = T(e(s), head) - T(e(s), e(s)) / 2

Where times add up, that is T(e(s), ..., e(s')) = enter(s) + c(e(s)) + ... + c(e(s')) + leave(s'),
the sum of c over the layers of a network is exactly its time, call, enter and leave included: each
c has (enter(s) - leave(s)) / 2 too much and as much of s' too little, and these cancel between
neighbors. Copies have weights of their own, and a whole network runs between two calls, so that
what a layer needs is in the caches as far as it is in a network, where all other layers run between
two calls of one. Stem and head, which have the cost of the call, and their ends are called back to
back, as a network is.
"""

from collections.abc import Mapping
from typing import NamedTuple

from torch import nn

from nas.layers.conv_norm import depthwise_norm
from nas.models.features import make_classifier
from nas.operators.blocks import build_block, build_stem
from nas.space.chain_layers import HEAD, STEM, LayerAt

_COPIES = 3


class Shape(NamedTuple):
    """What is between two layers."""

    channels: int
    size: int
    """Rows and columns."""


Probe = LayerAt | Shape
"""What is timed: a layer between its ends, or the two ends of a shape alone."""


def probes_of(layers: tuple[LayerAt, ...]) -> tuple[Probe, ...]:
    """Return what must be timed to know the latency of layers: ends, then layers."""
    shapes = (shape for layer in layers for shape in (_before(layer), _after(layer)))
    return (*dict.fromkeys(shape for shape in shapes if shape is not None), *layers)


def input_of(probe: Probe) -> Shape:
    """Return the shape of a probe's input."""
    return probe if isinstance(probe, Shape) else Shape(probe.block.in_channels, probe.size)


def build_probe(probe: Probe) -> nn.Sequential:
    """Build a network: (N, C, S, S) of `input_of` -> (N, C', S', S'), or (N, classes) of a head."""
    if isinstance(probe, Shape):
        return nn.Sequential(_end(probe), _end(probe))
    before, after = _before(probe), _after(probe)
    return nn.Sequential(
        *([] if before is None else [_end(before)]),
        *(_layer(probe) for _ in range(_copies(probe))),
        *([] if after is None else [_end(after)]),
    )


def latency_of(layer: LayerAt, times: Mapping[Probe, float]) -> float:
    """Return the latency of a layer, c above.

    Args:
        layer: One of those that `probes_of` was asked for.
        times: Of all probes, in any unit.
    """
    time = times[layer]
    for shape in (_before(layer), _after(layer)):
        if shape is not None:
            time = time - times[shape] / 2
    return time / _copies(layer)


def name_of(probe: Probe) -> str:
    """Return a name for files; different probes have different names."""
    if isinstance(probe, Shape):
        return f"ends_{probe.channels}_{probe.size}"
    block = probe.block
    numbers = (
        block.in_channels,
        block.hidden_channels,
        block.out_channels,
        block.stride,
        block.kernel,
        block.squeeze_channels,
        probe.size,
    )
    return "_".join([block.kind, *map(str, numbers)])


def _before(layer: LayerAt) -> Shape | None:
    return None if layer.block.kind == STEM else Shape(layer.block.in_channels, layer.size)


def _after(layer: LayerAt) -> Shape | None:
    return None if layer.block.kind == HEAD else Shape(layer.block.out_channels, layer.out_size)


def _copies(layer: LayerAt) -> int:
    return _COPIES if _before(layer) == _after(layer) else 1


def _end(shape: Shape) -> nn.Sequential:
    return nn.Sequential(*depthwise_norm(shape.channels))


def _layer(layer: LayerAt) -> nn.Module:
    block = layer.block
    if block.kind == STEM:
        return build_stem(block.in_channels, block.out_channels, block.stride)
    if block.kind == HEAD:
        classifier = make_classifier(block.in_channels, block.out_channels, dropout=0.0)
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), classifier)
    return build_block(block)
