"""SSDLite320 with MobileNeXt against figures of the authors' configuration."""

import math

import pytest
import torch
from torch import nn

from nas.models.detection import build_detector, make_priors
from nas.runtime.complexity import count_madds, count_parameters
from tests.golden import fill

GOLDEN = fill.load("ssdlite.json")["ssdlite320_mobilenext_voc21"]
EVAL = GOLDEN["eval"]
COUNTS = {
    # name, classes, ratios at the last level: parameters, multiply-adds
    ("ssdlite320_mobilenext", 20, (2, 3)): (GOLDEN["params"], GOLDEN["madds_320"]),
    ("ssdlite320_mobilenext", 80, (2,)): (4_539_418, 843.581),
    ("ssdlite320_mobilenet_v2", 20, (2, 3)): (3_425_988, 682.448),
    ("ssdlite320_mobilenet_v2", 80, (2,)): (4_304_138, 748.170),
}


def grid(shape):
    axes = [torch.arange(length, dtype=torch.float64) for length in shape]
    return torch.meshgrid(*axes, indexing="ij")


@torch.no_grad()
def fill_weights(model):
    """Fill every convolution by the rule of the golden file; BatchNorms keep their start."""
    model.double().eval()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            o, i, y, x = grid(module.weight.shape)
            phase = 0.7 * o + 1.3 * i + 0.5 * y + 0.9 * x + 2.4 * ((o * i) % 997)
            fan_in = math.prod(module.weight.shape[1:])
            module.weight.copy_(torch.cos(phase) * math.sqrt(2 / fan_in))
            if module.bias is not None:
                module.bias.copy_(0.01 * torch.cos(torch.arange(len(module.bias)).double()))
    return model


def images():
    n, c, h, w = grid((2, 3, 320, 320))
    return torch.sin(0.1 * n + 1.1 * c + 0.05 * h + 0.07 * w)


def close(actual, expected):
    expected = torch.as_tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(actual, expected, rtol=1e-8, atol=1e-8)


@torch.no_grad()
def test_features_classes_and_boxes():
    """The six maps, the class logits and the box offsets in float64, to 1e-8."""
    net = fill_weights(build_detector("ssdlite320_mobilenext", 20))
    maps = net.feature_maps(images())
    for actual, (shape, mean, std, first) in zip(maps, EVAL["features"], strict=True):
        assert [*actual.shape] == shape
        close(actual.mean(), mean)
        close(actual.std(correction=0), std)
        close(actual[0, :4, 0, 0], first)  # the first four are channels of the first pixel
    for name, values in zip(("cls", "box"), net.head(maps), strict=True):
        assert [*values.shape] == EVAL[f"{name}_shape"]
        length = len(EVAL[f"{name}_first_prior"])
        close(values[0, 0, :length], EVAL[f"{name}_first_prior"])
        close(values[0, -1, :length], EVAL[f"{name}_last_prior"])
        close(values.mean(), EVAL[f"{name}_mean"])
        close(values.std(correction=0), EVAL[f"{name}_std_pop"])


@pytest.mark.parametrize("case", COUNTS, ids=lambda case: f"{case[0]}-{case[1]}")
def test_parameters_and_madds(case):
    """To the integer, or to every digit that the reference prints in millions."""
    name, num_classes, last_ratios = case
    with torch.device("meta"):
        net = build_detector(name, num_classes, last_ratios=last_ratios).without_postprocessing()
    parameters, madds = COUNTS[case]
    assert count_parameters(net) == parameters
    counted = count_madds(net, (3, 320, 320))
    assert counted == madds if isinstance(madds, int) else round(counted / 1e6, 3) == madds


def test_parts():
    """Features, extra layers and heads, the heads level by level."""
    with torch.device("meta"):
        net = build_detector("ssdlite320_mobilenext", 20)
    assert [count_parameters(part) for part in (net.backbone, net.extras, net.head)] == [
        2_254_416,
        700_672,
        521_220,
    ]
    levels = zip(net.head.classification, net.head.regression, strict=True)
    assert [(count_parameters(a), count_parameters(b)) for a, b in levels] == [
        (79_614, 20_760),
        (176_766, 46_104),
        (70_782, 18_456),
        (35_454, 9_240),
        (35_454, 9_240),
        (16_254, 3_096),
    ]


def test_priors():
    """Their number and the sums of center x, center y, width and height."""
    priors = make_priors()
    assert priors.shape == (3234, 4)
    sums = torch.tensor([1620.375, 1620.375, 716.6623, 716.6623], dtype=torch.float64)
    torch.testing.assert_close(priors.sum(0), sums, rtol=0, atol=5e-5)
