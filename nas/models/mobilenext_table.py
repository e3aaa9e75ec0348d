"""The stages of MobileNeXt as the paper prints them, and the blocks that follow from them.

Symbols of the paper: t reduction ratio, c output channels, n blocks, s stride of the first block;
M input, N output and h bottleneck channels of one block.

Source: MobileNeXt (arXiv:2007.02269), Table 2, and the authors' released model.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from nas.layers import identity_channels
from nas.space.channels import round_channels

STEM_CHANNELS = 32

STAGES = (
    # t, c, n, s
    (2, 96, 1, 2),
    (6, 144, 1, 1),
    (6, 192, 3, 2),
    (6, 288, 3, 2),
    (6, 384, 4, 1),
    (6, 576, 4, 2),
    (6, 960, 3, 1),
    (6, 1280, 1, 1),
)
"""Table 2, in its order.

Deviation: the 960 stage has three blocks where the table prints two; the authors corrected it
(their repository, issue 2), and the released model has three.
"""


@dataclass(frozen=True)
class BlockSpec:
    """What a block factory is told about one block of the network."""

    in_channels: int
    """M."""
    hidden_channels: int
    """h, of the bottleneck."""
    out_channels: int
    """N."""
    stride: int
    """1 or 2."""
    is_transition: bool = False
    """Whether the released model leaves out the depthwise convolution on the M wide channels."""
    identity_ratio: Fraction = Fraction(0)
    """The part of the channels that takes the shortcut; 0 where there is none."""
    carries_bottleneck: bool = False
    """Whether the next block repeats this one, so that their bottlenecks could be joined."""

    @property
    def shortcut_channels(self) -> int:
        """Channels that carry the sum, floor(M * identity_ratio)."""
        return identity_channels(self.in_channels, self.identity_ratio)


def stem_width(width_mult: float) -> int:
    """Return the channels of the stem."""
    return round_channels(STEM_CHANNELS * width_mult, _divisor(width_mult))


def released_blocks(width_mult: float, identity_ratio: Fraction) -> tuple[BlockSpec, ...]:
    """Return the 20 blocks of the released model.

    h = M // t, widened to N / 6 rounded to a multiple of 16 where it is below N / 6. The first
    block of the stages 192 to 960 is a transition. Shortcuts are in the repeats only.

    Deviation: where the rounding of a custom width makes M equal to N in the first block of a
    stage, the released code sets its stride to 1 and adds a shortcut. Ours keeps the stride, and
    has no shortcut in a stage of one block.
    """
    blocks = []
    for ratio, in_channels, out_channels, stride, index, num_blocks in _rows(width_mult):
        hidden = in_channels // ratio
        if hidden < out_channels / 6:
            hidden = round_channels(math.ceil(out_channels / 6), 16)
        widens = in_channels != out_channels
        blocks.append(
            BlockSpec(
                in_channels,
                hidden,
                out_channels,
                stride,
                is_transition=widens and ratio != 2 and not (num_blocks == 1 and stride == 1),
                identity_ratio=_ratio_of(identity_ratio, widens, stride, num_blocks),
                carries_bottleneck=0 < index < num_blocks - 1,
            )
        )
    return tuple(blocks)


def paper_blocks(width_mult: float, identity_ratio: Fraction) -> tuple[BlockSpec, ...]:
    """Return the 20 blocks of Table 2 read literally.

    h = M / t rounded to a multiple of 8; every block has both depthwise convolutions.
    """
    return tuple(
        BlockSpec(
            in_channels,
            round_channels(in_channels / ratio),
            out_channels,
            stride,
            identity_ratio=_ratio_of(
                identity_ratio, in_channels != out_channels, stride, num_blocks
            ),
            carries_bottleneck=0 < index < num_blocks - 1,
        )
        for ratio, in_channels, out_channels, stride, index, num_blocks in _rows(width_mult)
    )


def _rows(width_mult: float) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Yield (t, M, N, stride, index in the stage, n) for each block."""
    divisor = _divisor(width_mult)
    in_channels = stem_width(width_mult)
    last = STAGES[-1]
    for stage in STAGES:
        ratio, channels, num_blocks, first_stride = stage
        # The last stage is not made narrower, as in MobileNetV2.
        multiplier = max(1.0, width_mult) if stage is last else width_mult
        out_channels = round_channels(channels * multiplier, divisor)
        for index in range(num_blocks):
            stride = first_stride if index == 0 else 1
            yield ratio, in_channels, out_channels, stride, index, num_blocks
            in_channels = out_channels


def _ratio_of(identity_ratio: Fraction, widens: bool, stride: int, num_blocks: int) -> Fraction:
    has_shortcut = not widens and stride == 1 and num_blocks > 1
    return identity_ratio if has_shortcut else Fraction(0)


def _divisor(width_mult: float) -> int:
    return 4 if width_mult == 0.1 else 8  # as released
