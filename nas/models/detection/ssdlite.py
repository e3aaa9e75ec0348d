"""SSDLite320: a one-stage detector on a mobile backbone, as in Table 8.

Source: MobileNeXt (arXiv:2007.02269), Sec. 4.3 and Table 8, and the authors' SSDLite code.
"""

import re
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from nas.errors import ConfigError, close_matches, shown
from nas.models.detection.backbone import make_extras, take_maps
from nas.models.detection.head import SSDLiteHead
from nas.models.detection.postprocess import Detections, detections_of
from nas.models.detection.priors import RATIOS, make_priors
from nas.models.factory import build_network
from nas.models.features import FeatureNetwork
from nas.models.settings import check_count
from nas.models.weights import load_weights

BACKBONES = ("mobilenext", "mobilenet_v2")
DETECTORS = tuple(f"ssdlite320_{name}" for name in BACKBONES)
"""The detectors of Table 8, at width 1; ssdlite320_mobilenext_0.5 has another width."""


class RawSSDLite(nn.Module):
    """Backbone, extra layers and heads: what is trained, counted and exported."""

    def __init__(self, backbone: nn.Module, extras: nn.ModuleList, head: SSDLiteHead):
        super().__init__()
        self.backbone = backbone
        self.extras = extras
        self.head = head

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """Return the maps of the six levels, the largest first."""
        maps, x = self.backbone(images)
        for extra in self.extras:
            x = extra(x)
            maps.append(x)
        return maps

    def raw(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the network.

        Args:
            images: (N, 3, 320, 320).

        Returns:
            Class logits (N, priors, classes + 1) before any softmax, and box offsets
            (N, priors, 4); the priors are ordered by level, row, column and aspect.
        """
        return self.head(self.feature_maps(images))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `raw` does."""
        return self.raw(images)


class SSDLite(RawSSDLite):
    """A detector; in training mode a call returns what `raw` does."""

    priors: Tensor
    """(priors, 4) as (center x, center y, width, height), in units of the image."""

    def __init__(
        self, backbone: FeatureNetwork, num_classes: int, last_ratios: tuple[int, ...] = RATIOS
    ):
        """Build the network.

        Args:
            backbone: The classifier whose layers are taken.
            num_classes: Without the background.
            last_ratios: See `make_priors`.
        """
        maps = take_maps(backbone)
        extras, widths = make_extras(maps)
        super().__init__(
            maps, extras, SSDLiteHead((*maps.channels, *widths), num_classes, last_ratios)
        )
        self.register_buffer("priors", make_priors(last_ratios).float(), persistent=False)

    def without_postprocessing(self) -> RawSSDLite:
        """Return the network whose calls return raw outputs in every mode; it shares the layers."""
        return RawSSDLite(self.backbone, self.extras, self.head).train(self.training)

    def forward(  # type: ignore[override]  # what is measured differs from what is trained
        self, images: Tensor
    ) -> tuple[Tensor, Tensor] | list[Detections]:
        """Return raw outputs in training, and the detections of each image in eval mode."""
        logits, offsets = self.raw(images)
        return (logits, offsets) if self.training else detections_of(logits, offsets, self.priors)


def build_detector(
    name: str,
    num_classes: int = 20,
    *,
    backbone_weights: str | Path | None = None,
    last_ratios: tuple[int, ...] = RATIOS,
) -> SSDLite:
    """Build a detector by name.

    Args:
        name: "ssdlite320_mobilenext" or "ssdlite320_mobilenet_v2", of width 1; or another width,
            as in "ssdlite320_mobilenext_0.5".
        num_classes: Without the background.
        backbone_weights: A checkpoint of a classifier, of augment.py or of the authors; every
            weight but those of its last layer must fit.
        last_ratios: Ratios of the priors at the last level. (2,) with 80 classes is the
            configuration for COCO, which the figures of Table 8 belong to.

    Raises:
        ConfigError: The name is unknown, or a number is out of range.
        CheckpointError: The weights do not fit.
    """
    check_count("num_classes", num_classes)
    backbone = cast(FeatureNetwork, build_network(backbone_name(name)))
    if backbone_weights is not None:
        load_weights(backbone, backbone_weights, new_classifier=True)
    return SSDLite(backbone, num_classes, last_ratios)


def backbone_name(name: str) -> str:
    """Return the name of the classifier below a detector, such as "mobilenext_0.5".

    Raises:
        ConfigError: The name is unknown.
    """
    families = "|".join(BACKBONES)
    match = re.fullmatch(rf"ssdlite320_({families})(?:_(\d+(?:\.\d+)?))?", name)
    if match is None:
        raise ConfigError(
            f"model: {shown(name)} is unknown; {close_matches(name, DETECTORS)} "
            "(other widths are written as in ssdlite320_mobilenext_0.5)"
        )
    return f"{match[1]}_{match[2] or '1.0'}"
