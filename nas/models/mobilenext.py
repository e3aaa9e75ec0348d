"""MobileNeXt: the network of sandglass blocks, as released and as printed.

Source: MobileNeXt (arXiv:2007.02269), Sec. 3.4 and 4, and the authors' code.
"""

from collections.abc import Sequence
from fractions import Fraction

from torch import nn

from nas.errors import ConfigError, close_matches, shown
from nas.layers import ConvSequence, ReLU6, initialize
from nas.models.features import FeatureNetwork, make_classifier
from nas.models.mobilenext_blocks import BLOCKS, BlockFactory, sandglass_block
from nas.models.mobilenext_table import BlockSpec, paper_blocks, released_blocks, stem_width
from nas.models.settings import (
    check_count,
    check_identity_ratio,
    check_probability,
    check_width,
)

VARIANTS = {"released": released_blocks, "paper": paper_blocks}
"""What reads Table 2: see `mobilenext`."""


class MobileNeXt(FeatureNetwork):
    """A stem, a sequence of blocks and a classifier.

    The layers are named as in the authors' checkpoints: features.0 the stem, features.1 to 20 the
    blocks, classifier.1 the linear layer.
    """

    def __init__(
        self,
        stem_channels: int,
        specs: Sequence[BlockSpec],
        block: BlockFactory = sandglass_block,
        *,
        in_channels: int = 3,
        num_classes: int = 1000,
        dropout: float = 0.2,
    ):
        """Build the network.

        Args:
            stem_channels: Of the first convolution, which has stride 2.
            specs: The blocks.
            block: What builds a block from its spec.
            in_channels: Of the images.
            num_classes: Of the data set.
            dropout: Before the classifier, in [0, 1).
        """
        super().__init__()
        stem = ConvSequence(
            nn.Conv2d(in_channels, stem_channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(stem_channels),
            ReLU6(),
        )
        self.features = nn.Sequential(stem, *(block(spec) for spec in specs))
        self._set_resolutions(
            [(2, stem_channels), *((spec.stride, spec.out_channels) for spec in specs)]
        )
        self.classifier = make_classifier(self.num_features, num_classes, dropout)
        initialize(self)


def mobilenext(
    width_mult: float = 1.0,
    identity_ratio: float | Fraction | str = 1,
    num_classes: int = 1000,
    variant: str = "released",
    *,
    block: str | BlockFactory = "sandglass",
    in_channels: int = 3,
    dropout: float = 0.2,
) -> MobileNeXt:
    """Build MobileNeXt.

    The two variants have the same stages and widths, and differ in the blocks:

    - "released" is the authors' code, with which Tables 3, 5, 7 and 10 were measured (3,535,416
      parameters and 311.3 M multiply-adds at width 1). The first block of the stages 192 to 960
      leaves out its first depthwise convolution, and at stride 1 the second too; bottlenecks
      narrower than N / 6 are widened to a multiple of 16.
    - "paper" is Table 2 read literally (3,305,720 and 274.6 M): every block has both depthwise
      convolutions, and the bottleneck is M / t rounded to a multiple of 8.

    In both the 960 stage has three blocks, the authors' correction of the table.

    Args:
        width_mult: Width multiplier, in (0, 10]; the paper's are 1.4, 1, 0.75, 0.5 and 0.35.
        identity_ratio: The identity tensor multiplier, in [0, 1]; the paper's are 1, 1/2, 1/3 and
            1/6, which may be written so ("1/3").
        num_classes: Of the data set.
        variant: "released" or "paper".
        block: A name in `BLOCKS`, or a function from a `BlockSpec` to a module: the ablations of
            Fig. 4 and Sec. 4.4.
        in_channels: Of the images.
        dropout: Before the classifier, in [0, 1).

    Raises:
        ConfigError: A setting is unknown or out of range.

    Source: MobileNeXt (arXiv:2007.02269), Tables 2, 3 and 7; Eq. 4; the authors' mnext.py.
    """
    check_width(width_mult)
    check_count("num_classes", num_classes)
    check_count("in_channels", in_channels)
    check_probability("dropout", dropout)
    ratio = check_identity_ratio(identity_ratio)
    if variant not in VARIANTS:
        raise ConfigError(
            f"variant: {shown(variant)} is unknown; {close_matches(str(variant), VARIANTS)}"
        )
    if isinstance(block, str):
        if block not in BLOCKS:
            raise ConfigError(f"block: {shown(block)} is unknown; {close_matches(block, BLOCKS)}")
        block = BLOCKS[block]
    return MobileNeXt(
        stem_width(width_mult),
        VARIANTS[variant](width_mult, ratio),
        block,
        in_channels=in_channels,
        num_classes=num_classes,
        dropout=dropout,
    )
