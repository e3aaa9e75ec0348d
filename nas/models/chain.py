"""The network of a chain: stem, blocks in a row, pooling and classifier.

Source: MobileNeXt (arXiv:2007.02269), Table 2, and MobileNetV2 (arXiv:1801.04381), Table 2, which
are two points of the chains that come with the project.
"""

from fractions import Fraction

from torch import nn

from nas.errors import ConfigError
from nas.genotype import Chain
from nas.layers import initialize
from nas.models.features import FeatureNetwork, make_classifier
from nas.models.settings import check_count, check_identity_ratio, check_probability
from nas.operators.blocks import build_block, build_stem


class ChainNetwork(FeatureNetwork):
    """The network of a chain.

    The layers are named as in MobileNeXt and MobileNetV2: features.0 the stem, then the blocks,
    classifier.1 the linear layer. Where a chain is one of these, their checkpoints load.
    """

    def __init__(
        self,
        chain: Chain,
        in_channels: int = 3,
        num_classes: int = 1000,
        *,
        identity_ratio: float | Fraction | str = 1,
        dropout: float = 0.2,
    ):
        """Build the network.

        Args:
            chain: Its blocks, with the widths of its space.
            in_channels: Of the images.
            num_classes: Of the data set.
            identity_ratio: The identity tensor multiplier of blocks that are wide between blocks,
                in [0, 1], such as 1 or "1/2".
            dropout: Before the classifier, in [0, 1).

        Raises:
            ConfigError: A setting is out of range or has no effect.
        """
        check_count("num_classes", num_classes)
        check_count("in_channels", in_channels)
        check_probability("dropout", dropout)
        ratio = check_identity_ratio(identity_ratio)
        if ratio != 1 and not any(block.is_wide for block in chain.blocks):
            raise ConfigError(
                f"identity_ratio: found {identity_ratio}, but the network has no block that is "
                "wide between blocks, which it is for; leave it out"
            )
        super().__init__()
        space = chain.space
        stem = build_stem(in_channels, space.stem_channels, space.stem.stride)
        blocks = [build_block(block, identity_ratio=ratio) for block in chain.blocks]
        self.features = nn.Sequential(stem, *blocks)
        self._set_resolutions(
            [
                (space.stem.stride, space.stem_channels),
                *((block.stride, block.out_channels) for block in chain.blocks),
            ]
        )
        self.classifier = make_classifier(self.num_features, num_classes, dropout)
        initialize(self)
