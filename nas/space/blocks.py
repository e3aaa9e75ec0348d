"""The blocks of a chain: what a space names, and what is in a network (no torch).

A `Candidate` is what a space file names: a kind of block with a ratio, a kernel and perhaps
squeeze-and-excitation. A `Block` is what it becomes in a layer, whose widths and stride are given;
two candidates that become equal blocks are one choice. `nas.operators.blocks` builds the module of
a block; `Block.cost` counts it without building anything.

Symbols: M input, N output and h bottleneck or hidden channels, t reduction ratio, e expansion
ratio, k kernel, s stride; dw is a depthwise convolution and pw a pointwise one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from nas.space.channels import round_channels


@dataclass(frozen=True)
class BlockKind:
    """A kind of block that a space file may name."""

    description: str
    symbol: str = ""
    """The letter of the ratio in the names of candidates: t reduces, e expands; "" has none."""

    @property
    def is_wide(self) -> bool:
        """Whether the many channels are between the blocks; else they are inside."""
        return self.symbol == "t"

    @property
    def can_be_searched(self) -> bool:
        """Whether it may be a candidate; else it is for the fixed blocks only."""
        return self.symbol != ""


BLOCK_KINDS: Mapping[str, BlockKind] = MappingProxyType(
    {
        "sandglass": BlockKind("dw M | pw M -> h | pw h -> N | dw N (MobileNeXt, Table 1)", "t"),
        "fig4a": BlockKind("pw M -> h | dw h | pw h -> N (MobileNeXt, Fig. 4 (a))", "t"),
        "fig4b": BlockKind("pw M -> h | dw h | dw h | pw h -> N (MobileNeXt, Fig. 4 (b))", "t"),
        "inverted_residual": BlockKind("pw M -> h | dw h | pw h -> N (MobileNetV2)", "e"),
        "conv": BlockKind("pw M -> N, BatchNorm and ReLU6, as before MobileNetV2's pooling"),
    }
)

FIXED_FLOOR = 6
"""A fixed sandglass is never narrower inside than N / 6, as released; a searched one than N / t."""


@dataclass(frozen=True)
class Candidate:
    """What a layer may be; the layer adds widths and stride."""

    block: str
    """A key of `BLOCK_KINDS`."""
    ratio: int = 1
    """t or e."""
    kernel: int = 3
    """k of all depthwise convolutions."""
    se: bool = False
    """Whether squeeze-and-excitation is added."""

    @property
    def name(self) -> str:
        """Its name as a choice, such as "sandglass_t6_k3" or "inverted_residual_e3_k5_se"."""
        symbol = BLOCK_KINDS[self.block].symbol
        if not symbol:
            return self.block
        return f"{self.block}_{symbol}{self.ratio}_k{self.kernel}{'_se' * self.se}"

    def block_at(
        self, in_channels: int, out_channels: int, stride: int, *, is_fixed: bool = False
    ) -> "Block":
        """Return the block that it becomes in a layer.

        A searched sandglass that changes the width is MobileNeXt's transition: no dw before the
        bottleneck, and at stride 1 none at all. Fig. 4 (a) and (b) have one dw there at stride 2,
        and none at stride 1, so that all three are the same block at stride 1.

        Args:
            in_channels: M.
            out_channels: N.
            stride: s, 1 or 2.
            is_fixed: Whether no search chooses it: then a sandglass is always a whole one.
        """
        block, kernel = self.block, self.kernel if self.block != "conv" else 0
        is_wide = BLOCK_KINDS[block].is_wide
        if is_wide and not is_fixed and in_channels != out_channels:
            if stride == 1:
                block, kernel = "transition", 0
            else:
                block = "transition" if block == "sandglass" else "fig4a"
        hidden = 0
        if is_wide:
            floor = out_channels / (FIXED_FLOOR if is_fixed else self.ratio)
            hidden = in_channels // self.ratio
            if hidden < floor:
                hidden = round_channels(math.ceil(floor), 16)
        elif self.block == "inverted_residual":
            hidden = in_channels * self.ratio
        squeezed = 0
        if self.se and is_wide:
            squeezed = max(1, out_channels // (4 * self.ratio))
        elif self.se:
            squeezed = round_channels(hidden / 4)
        return Block(
            block,
            in_channels,
            hidden,
            out_channels,
            stride,
            kernel,
            squeezed,
            has_shortcut=stride == 1 and in_channels == out_channels and block != "conv",
        )


class Conv(NamedTuple):
    """A convolution without bias and the BatchNorm behind it."""

    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1


class BlockCost(NamedTuple):
    """What a block costs for one image."""

    madds: int
    parameters: int


@dataclass(frozen=True)
class Block:
    """A block in its place: all that decides its module, and what it costs at a resolution."""

    kind: str
    """sandglass, transition, fig4a, fig4b, inverted_residual or conv."""
    in_channels: int
    """M."""
    hidden_channels: int
    """h; 0 in a conv."""
    out_channels: int
    """N."""
    stride: int
    """s, 1 or 2."""
    kernel: int
    """k; 0 where there is no depthwise convolution."""
    squeeze_channels: int = 0
    """Of squeeze-and-excitation; 0 is none."""
    has_shortcut: bool = False
    """Whether x is added: M = N and s = 1."""

    @property
    def is_wide(self) -> bool:
        """Whether the many channels are between the blocks; else they are inside."""
        return self.kind in ("sandglass", "transition", "fig4a", "fig4b")

    @property
    def se_channels(self) -> int:
        """The channels that squeeze-and-excitation scales: h of an inverted residual, else N."""
        return self.hidden_channels if self.kind == "inverted_residual" else self.out_channels

    def convs(self) -> tuple[Conv, ...]:
        """Return its convolutions in order, those of squeeze-and-excitation left out."""
        inner, hidden, outer, stride = (
            self.in_channels,
            self.hidden_channels,
            self.out_channels,
            self.stride,
        )
        reduce, expand = Conv(inner, hidden), Conv(hidden, outer)
        dw_inside = self._depthwise(hidden)
        if self.kind == "sandglass":
            return self._depthwise(inner), reduce, expand, self._depthwise(outer, stride)
        if self.kind == "transition":
            ends = (self._depthwise(outer, stride),) if self.kernel else ()
            return reduce, expand, *ends
        if self.kind in ("fig4a", "fig4b"):
            inside = (dw_inside,) * (1 if self.kind == "fig4a" else 2)
            return reduce, *inside, expand._replace(stride=stride)
        if self.kind == "inverted_residual":
            widen = (reduce,) if hidden != inner else ()
            return *widen, self._depthwise(hidden, stride), expand
        return (Conv(inner, outer, stride=stride),)

    def cost(self, size: int) -> BlockCost:
        """Return multiply-adds and parameters on an input of `size` x `size` pixels.

        Multiply-adds as `nas.runtime.complexity` counts them: those of convolutions, with the two
        of squeeze-and-excitation on one pixel.
        """
        madds = parameters = 0
        for conv in self.convs():
            size = -(-size // conv.stride)
            weights = conv.out_channels * conv.in_channels // conv.groups * conv.kernel**2
            madds += weights * size**2
            parameters += weights + 2 * conv.out_channels
        if self.squeeze_channels:
            weights = 2 * self.se_channels * self.squeeze_channels
            madds += weights
            parameters += weights + self.se_channels + self.squeeze_channels
        return BlockCost(madds, parameters)

    def _depthwise(self, channels: int, stride: int = 1) -> Conv:
        return Conv(channels, channels, self.kernel, stride, groups=channels)


def distinct(
    candidates: tuple[Candidate, ...], in_channels: int, out_channels: int, stride: int
) -> tuple[dict[str, Block], dict[str, str]]:
    """Return the blocks that candidates become in a layer, each once.

    Returns:
        The blocks by the name of the first candidate that becomes them, and for each later
        candidate the name of the one it equals.
    """
    blocks: dict[str, Block] = {}
    merged: dict[str, str] = {}
    first: dict[Block, str] = {}
    for candidate in candidates:
        block = candidate.block_at(in_channels, out_channels, stride)
        if block in first:
            merged[candidate.name] = first[block]
        else:
            first[block] = candidate.name
            blocks[candidate.name] = block
    return blocks, merged
