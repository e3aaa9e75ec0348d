"""The heads of SSDLite: class logits and box offsets from each feature map.

Source: MobileNetV2 (arXiv:1801.04381), Sec. 6.2; the authors' SSDLite code.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nas.models.detection.priors import RATIOS, num_priors_per_cell


class SSDLiteHead(nn.Module):
    """One classification and one regression head for each level.

    dw 3x3 + BN + ReLU6 | pw, all convolutions with bias; at the last level a plain 1x1 convolution.
    """

    def __init__(
        self, channels: Sequence[int], num_classes: int, last_ratios: tuple[int, ...] = RATIOS
    ):
        """Build and initialize the heads.

        Args:
            channels: Of the feature map of each level.
            num_classes: Without the background.
            last_ratios: See `make_priors`.
        """
        super().__init__()
        self.num_logits = num_classes + 1
        priors = [num_priors_per_cell(RATIOS)] * (len(channels) - 1)
        priors.append(num_priors_per_cell(last_ratios))
        self.classification = _heads(channels, [n * self.num_logits for n in priors])
        self.regression = _heads(channels, [n * 4 for n in priors])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Evaluate all heads.

        Args:
            maps: (N, channels, H, W) of each level.

        Returns:
            Class logits (N, priors, classes + 1), of which the first is the background, and box
            offsets (N, priors, 4); the priors are ordered by level, row, column and aspect.
        """
        return (
            _by_prior(self.classification, maps, self.num_logits),
            _by_prior(self.regression, maps, 4),
        )


def _heads(channels: Sequence[int], outputs: Sequence[int]) -> nn.ModuleList:
    last = len(channels) - 1
    return nn.ModuleList(
        nn.Conv2d(width, num, 1)
        if level == last
        else nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width),
            nn.BatchNorm2d(width),
            nn.ReLU6(inplace=True),
            nn.Conv2d(width, num, 1),
        )
        for level, (width, num) in enumerate(zip(channels, outputs, strict=True))
    )


def _by_prior(heads: nn.ModuleList, maps: Sequence[Tensor], length: int) -> Tensor:
    """Return the outputs of all levels as (N, priors, length)."""
    outputs = [head(x).permute(0, 2, 3, 1) for head, x in zip(heads, maps, strict=True)]
    return torch.cat([x.reshape(x.shape[0], -1, length) for x in outputs], dim=1)
