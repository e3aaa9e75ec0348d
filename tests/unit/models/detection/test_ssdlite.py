"""Building detectors: names, widths, pretrained backbones, and what a call returns."""

import pytest
import torch

from nas.errors import CheckpointError, ConfigError
from nas.models import build_network
from nas.models.detection import build_detector


@pytest.mark.parametrize("name", ["resnet", "ssdlite320_mobilenext_", "ssdlite320_mobilenext_x"])
def test_unknown_names(name):
    """The message names what is near."""
    with pytest.raises(ConfigError, match="is unknown; "):
        build_detector(name)


@pytest.mark.parametrize("family", ["mobilenext", "mobilenet_v2"])
def test_backbone_weights(family, tmp_path):
    """A classifier's weights are loaded; one of another width is refused and named."""
    classifier = build_network(f"{family}_0.35", num_classes=7)
    torch.save(classifier.state_dict(), tmp_path / "a.pt")
    net = build_detector(f"ssdlite320_{family}_0.35", 3, backbone_weights=tmp_path / "a.pt")
    for name, weight in classifier.features.state_dict().items():
        assert torch.equal(net.backbone.features.state_dict()[name], weight)
    with pytest.raises(CheckpointError, match="with another shape: features"):
        build_detector(f"ssdlite320_{family}_0.5", 3, backbone_weights=tmp_path / "a.pt")


@torch.no_grad()
def test_a_call():
    """Raw outputs in training; boxes in the image, sorted by score, in eval mode."""
    net = build_detector("ssdlite320_mobilenext_0.35", 3)
    logits, offsets = net(torch.randn(2, 3, 320, 320))
    assert logits.shape == (2, 3234, 4) and offsets.shape == (2, 3234, 4)
    results = net.eval()(torch.randn(2, 3, 320, 320))
    assert len(results) == 2
    for boxes, scores, labels in results:
        assert 0 < len(boxes) == len(scores) == len(labels) <= 100
        assert boxes.min() >= 0 and boxes.max() <= 1 and set(labels.tolist()) <= {0, 1, 2}
        assert torch.equal(scores, scores.sort(descending=True).values)
