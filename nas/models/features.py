"""Feature maps of a network whose layers are one sequence: what a detector or segmenter reads."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from nas.errors import ConfigError

REDUCTIONS = (4, 8, 16, 32)
"""The strides, relative to the image, of the maps that `feature_maps` returns, where a network has
them."""


class FeatureNetwork(nn.Module):
    """A classifier that is a sequence `features`, an average over the pixels and `classifier`.

    It owns which layers end a resolution; the network that inherits from it owns the layers.
    """

    features: nn.Sequential
    classifier: nn.Module

    def _set_resolutions(self, layers: Sequence[tuple[int, int]]) -> None:
        """Note which layers are the last of their resolution.

        Args:
            layers: (stride, output channels) of each layer in `features`.
        """
        reduction = 1
        ends = {}
        for index, (stride, channels) in enumerate(layers):
            reduction *= stride
            ends[reduction] = (index, channels)
        self.feature_info = [
            {"num_chs": ends[r][1], "reduction": r, "module": f"features.{ends[r][0]}"}
            for r in REDUCTIONS
            if r in ends
        ]
        """Channels, stride and layer of each map, in timm's form."""
        self._map_layers = tuple(ends[r][0] for r in REDUCTIONS if r in ends)
        self.num_features = layers[-1][1]
        """Channels of the last map, which are the inputs of the classifier."""
        self.reduction = reduction
        """What rows and columns are divided by: images below it would leave nothing but padding."""

    def feature_maps(self, x: Tensor) -> list[Tensor]:
        """Return the last map of each resolution.

        Args:
            x: Images, (N, in_channels, H, W), at least `reduction` x `reduction`.

        Returns:
            One map of (N, C_r, ceil(H / r), ceil(W / r)) for r in 4, 8, 16, 32 up to `reduction`.

        Raises:
            ConfigError: The images are too small.
        """
        self._check_images(x)
        maps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._map_layers:
                maps.append(x)
        return maps

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last map alone, (N, num_features, ceil(H / r), ceil(W / r)), r = `reduction`.

        Raises:
            ConfigError: The images are too small.
        """
        self._check_images(x)
        return self.features(x)

    def forward(self, x: Tensor) -> Tensor:
        """Classify.

        Args:
            x: Images, (N, in_channels, H, W), at least `reduction` x `reduction`.

        Returns:
            Logits, (N, num_classes).

        Raises:
            ConfigError: The images are too small.
        """
        x = F.adaptive_avg_pool2d(self.forward_features(x), 1)
        return self.classifier(x.flatten(1))

    def _check_images(self, x: Tensor) -> None:
        height, width = x.shape[-2:]
        least = self.reduction
        if height < least or width < least:
            raise ConfigError(
                f"images of {height} x {width} are too small: the network divides them by {least}, "
                f"so they must be at least {least} x {least}; resize them"
            )


def make_classifier(num_features: int, num_classes: int, dropout: float) -> nn.Sequential:
    """Build dropout and linear layer, (N, num_features) -> (N, num_classes)."""
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(num_features, num_classes))
