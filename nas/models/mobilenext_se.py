"""MobileNeXt with squeeze-and-excitation, in the EfficientNet style.

Source: MobileNeXt (arXiv:2007.02269), Table 6, and the authors' code for its two dagger rows.
"""

from torch import nn

from nas.errors import ConfigError, shown
from nas.layers import SameConv2d
from nas.models.features import FeatureNetwork, make_classifier
from nas.models.mobilenext_se_blocks import DEPTHS, se_block, se_blocks, se_norm
from nas.models.mobilenext_table import STEM_CHANNELS
from nas.models.settings import check_count, check_probability


class MobileNeXtSE(FeatureNetwork):
    """The network of the dagger rows of Table 6; drop path grows linearly with depth."""

    def __init__(
        self,
        depth: str,
        *,
        in_channels: int = 3,
        num_classes: int = 1000,
        dropout: float = 0.2,
        drop_path_prob: float = 0.2,
    ):
        """Build the network; `mobilenext_se` describes and checks the settings."""
        super().__init__()
        specs = list(se_blocks(depth))
        stem = nn.Sequential(
            SameConv2d(in_channels, STEM_CHANNELS, 3, 2), se_norm(STEM_CHANNELS), nn.SiLU()
        )
        self.features = nn.Sequential(stem, *(se_block(spec) for spec in specs))
        self._set_resolutions(
            [(2, STEM_CHANNELS), *((spec.stride, spec.out_channels) for spec in specs)]
        )
        self.classifier = make_classifier(self.num_features, num_classes, dropout)
        self.drop_path_prob = drop_path_prob

    @property
    def drop_path_prob(self) -> float:
        """Drop path of the last block, were it one with a shortcut; in [0, 1)."""
        return self._drop_path_prob

    @drop_path_prob.setter
    def drop_path_prob(self, value: float) -> None:
        self._drop_path_prob = value
        blocks = self.features[1:]
        for index, block in enumerate(blocks):
            # p_i = p * i / n, counted from 0
            setattr(block, "drop_prob", value * index / len(blocks))  # noqa: B010


def mobilenext_se(
    depth: str | float = "1.0",
    num_classes: int = 1000,
    *,
    in_channels: int = 3,
    dropout: float = 0.2,
    drop_path_prob: float = 0.2,
) -> MobileNeXtSE:
    """Build a model of Table 6: "1.0" has 3.94 M parameters and 330 M, "1.1" 4.28 M and 420 M.

    "1.1" is a factor on the number of blocks of each stage, and comes with pointwise convolutions
    in two groups; the widths are those of 1.0.

    The weights are drawn as torch does, BatchNorms have eps 1e-3 and momentum 0.01, and strided
    convolutions are padded as TensorFlow does, all as in the authors' code.

    Deviation: the released code holds a BatchNorm of 1280 channels that it never applies. Ours has
    none, so that it counts 2,560 parameters less than the paper (3,934,451 and 4,284,938). The
    layers are named as in `mobilenext`, not as in the released checkpoints of these two models.

    Args:
        depth: "1.0" or "1.1".
        num_classes: Of the data set.
        in_channels: Of the images.
        dropout: Before the classifier, in [0, 1).
        drop_path_prob: In [0, 1); block i of n drops its residual branch with probability
            `drop_path_prob` * i / n where it has a shortcut. It can be set later as an attribute.

    Raises:
        ConfigError: A setting is unknown or out of range.

    Source: MobileNeXt (arXiv:2007.02269), Table 6; the authors' code.
    """
    if str(depth) not in DEPTHS:
        raise ConfigError(
            f"depth: {shown(depth)} is unknown; mobilenext_se has {' and '.join(DEPTHS)}"
        )
    check_count("num_classes", num_classes)
    check_count("in_channels", in_channels)
    check_probability("dropout", dropout)
    check_probability("drop_path_prob", drop_path_prob)
    return MobileNeXtSE(
        str(depth),
        in_channels=in_channels,
        num_classes=num_classes,
        dropout=dropout,
        drop_path_prob=drop_path_prob,
    )
