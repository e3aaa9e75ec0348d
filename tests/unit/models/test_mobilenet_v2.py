"""The baseline, and the two blocks that the paper puts into it."""

import pytest
import torch
import torchvision

from nas.errors import ConfigError
from nas.models import mobilenet_v2
from nas.runtime.complexity import count_madds, count_parameters
from tests.unit.models.layer_lists import layers_of


def on_meta(*args, **settings):
    with torch.device("meta"):
        return mobilenet_v2(*args, **settings)


@pytest.mark.parametrize(
    ("width", "parameters", "madds"),
    [
        (1.4, 6_108_776, 582.196),
        (1.0, 3_504_872, 300.774),
        (0.75, 2_636_424, 209.070),
        (0.5, 1_968_680, 97.132),
        (0.35, 1_677_128, 59.286),
    ],
)
def test_counts(width, parameters, madds):
    """The baseline rows of Table 3."""
    model = on_meta(width)
    assert count_parameters(model) == parameters
    assert round(count_madds(model, (3, 224, 224)) / 1e6, 3) == madds


@torch.no_grad()
def test_is_torchvisions():
    """Its state dict loads strictly, and the logits are the same to the bit."""
    torch.manual_seed(0)
    theirs = torchvision.models.mobilenet_v2(width_mult=0.35, num_classes=5).eval()
    ours = mobilenet_v2(0.35, num_classes=5).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize(
    ("block", "parameters", "madds"),
    [("two_dw", 3_583_368, 334.446), ("fig4c", 3_456_472, 295.638)],
)
def test_counts_of_other_blocks(block, parameters, madds):
    """Table 5's two dw in the middle, and Fig. 4 (c)."""
    model = on_meta(block=block)
    assert count_parameters(model) == parameters
    assert round(count_madds(model, (3, 224, 224)) / 1e6, 3) == madds


T1 = ["dw3 32", "bn", "dw3 32", "bn", "relu6", "pw 32-16", "bn"]


def test_two_depthwise():
    """Both dw on the wide middle, the stride on the second, no activation between."""
    features = on_meta(block="two_dw").features
    assert layers_of(features[1]) == T1
    assert layers_of(features[2]) == [
        *["pw 16-96", "bn", "relu6", "dw3 96", "bn", "dw3 s2 96", "bn", "relu6", "pw 96-24", "bn"]
    ]


def test_outer_depthwise():
    """One dw on each narrow end, the stride on the second pw, and ReLU6 at the end."""
    features = on_meta(block="fig4c").features
    assert layers_of(features[1]) == T1
    assert layers_of(features[2]) == [
        *["dw3 16", "bn", "relu6", "pw 16-96", "bn", "relu6", "pw s2 96-24", "bn"],
        *["dw3 24", "bn", "relu6"],
    ]


@pytest.mark.parametrize(
    ("block", "width", "expected"),
    [("two_dw", 0.35, 10), ("fig4c", 0.35, 10), ("two_dw", 0.1, 11), ("fig4c", 0.1, 10)],
)
@torch.no_grad()
def test_shortcuts(block, width, expected):
    """The ten of MobileNetV2; at width 0.1 the t = 1 stage has M = N, where Fig. 4 (c) has none."""
    torch.manual_seed(0)
    model = mobilenet_v2(width, num_classes=2, block=block).eval()
    x = model.features[0](torch.randn(1, 3, 32, 32))
    num_shortcuts = 0
    for layer in model.features[1:-1]:
        residual, output = layer.conv(x), layer(x)
        if not torch.equal(output, residual):
            num_shortcuts += 1
            assert torch.equal(output, x + residual)
        x = output
    assert num_shortcuts == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width_mult": 0}, "width_mult"),
        ({"num_classes": 0}, "num_classes"),
        ({"dropout": 2}, "dropout"),
        ({"block": "fig4d"}, "did you mean 'fig4c'"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ConfigError, match=message):
        mobilenet_v2(**settings)
