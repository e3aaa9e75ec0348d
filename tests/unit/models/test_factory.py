"""Networks by name: what is listed, what can be built, what is refused."""

import pytest
import torch

from nas.errors import ConfigError
from nas.models import build_network, list_models

FAMILIES = sorted({name.rpartition("_")[0] for name in list_models()})


def on_meta(name, **settings):
    with torch.device("meta"):
        return build_network(name, **settings).eval()


def test_list_models():
    """The five widths of Table 3, the two of Table 6 and one of each ablation; no name twice."""
    names = list_models()
    assert len(set(names)) == len(names)
    for family in ("mobilenext", "mobilenext_paper", "mobilenet_v2"):
        assert {f"{family}_{width}" for width in ("1.4", "1.0", "0.75", "0.5", "0.35")} <= set(
            names
        )
    assert {"mobilenext_se_1.0", "mobilenext_se_1.1"} <= set(names)
    assert len(FAMILIES) == 10


@pytest.mark.parametrize("name", list_models())
@torch.no_grad()
def test_every_listed_network(name):
    """It classifies, and gives one map at each of the strides 4, 8, 16 and 32."""
    model = build_network(name, num_classes=7).eval()
    x = torch.zeros(2, 3, 33, 64)
    assert model(x).shape == (2, 7)
    maps = model.feature_maps(x)
    sizes = [(9, 16), (5, 8), (3, 4), (2, 2)]
    assert [tuple(m.shape[-2:]) for m in maps] == sizes
    assert [m.shape[1] for m in maps] == [info["num_chs"] for info in model.feature_info]
    assert [info["reduction"] for info in model.feature_info] == [4, 8, 16, 32]
    assert maps[-1].shape == model.forward_features(x).shape
    assert maps[-1].shape[1] == model.num_features == model.classifier[1].in_features


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns(family):
    """A training step gives every parameter a finite gradient, and some of it not zero."""
    torch.manual_seed(0)
    size = "1.0" if family == "mobilenext_se" else "0.1"
    model = build_network(f"{family}_{size}", num_classes=3).train()
    model(torch.randn(4, 3, 64, 64)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    assert all(parameter.grad.any() for parameter in model.features[0].parameters())


@torch.no_grad()
def test_maps_are_those_of_the_classifier():
    """The logits follow from the last map, and each map from the one before."""
    torch.manual_seed(0)
    model = build_network("mobilenext_0.35", num_classes=4).eval()
    x = torch.randn(1, 3, 64, 64)
    maps = model.feature_maps(x)
    torch.testing.assert_close(model.classifier(maps[-1].mean((2, 3))), model(x))
    layers = [int(info["module"].removeprefix("features.")) for info in model.feature_info]
    for first, last, before, after in zip(layers, layers[1:], maps, maps[1:], strict=False):
        assert torch.equal(model.features[first + 1 : last + 1](before), after)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("mobilenext_1.0", [144, 192, 384, 1280]),
        ("mobilenext_1.4", [200, 272, 536, 1792]),
        ("mobilenext_se_1.0", [144, 192, 384, 1280]),
        ("mobilenet_v2_1.0", [24, 32, 96, 1280]),
    ],
)
def test_channels_of_the_maps(name, channels):
    assert [info["num_chs"] for info in on_meta(name).feature_info] == channels


@pytest.mark.parametrize(
    ("width", "stem", "channels"),
    [
        ("0.6", 24, [88, 112, 232, 1280]),
        ("0.05", 8, [8, 16, 24, 1280]),
        ("1", 32, [144, 192, 384, 1280]),
    ],
)
def test_other_widths(width, stem, channels):
    """Any width can be written, and each stage is rounded to a multiple of 8."""
    model = on_meta(f"mobilenext_{width}")
    assert model.features[0][0].out_channels == stem
    assert [info["num_chs"] for info in model.feature_info] == channels


def test_settings_reach_the_network():
    model = on_meta("mobilenext_1.0", num_classes=5, identity_ratio="1/3", in_channels=1, dropout=0)
    assert model.features[4].shortcut_channels == 64
    assert model.features[0][0].in_channels == 1
    assert model.classifier[0].p == 0 and model.classifier[1].out_features == 5
    assert on_meta("mobilenet_v2_fig4c_1.0").classifier[0].p == 0
    assert on_meta("mobilenet_v2_fig4c_1.0", dropout=0.1).classifier[0].p == 0.1
    assert on_meta("mobilenext_se_1.0", drop_path_prob=0).features[20].drop_prob == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mobilenxt_1.0", "'mobilenxt_1.0' is unknown; did you mean 'mobilenext_1.0'"),
        ("mobilenext", "did you mean 'mobilenext_1.0'"),
        ("mobilenet_v2", "did you mean 'mobilenet_v2_1.0'"),
        ("mobilenext_se_1.2", "mobilenext_se has no other sizes than 1.0 and 1.1"),
        ("resnet50", "known: mobilenext_1.4, .*list_models"),
        ("mobilenext_1.0 ", "is unknown"),
        ("mobilenext_-1", "is unknown"),
        ("mobilenext_0", "width_mult: 0.0 is out of range"),
        ("mobilenext_11", "mobilenext_11: width_mult: 11.0 .* at most 10"),
        ("", "is unknown"),
        (None, "None is unknown"),
    ],
)
def test_names_that_are_refused(name, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build_network(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("mobilenext_1.0", {"identity_ration": 1}, "did you mean 'identity_ratio'"),
        ("mobilenext_1.0", {"width_mult": 1}, "'width_mult' is no setting"),
        ("mobilenext_paper_1.0", {"variant": "released"}, "'variant' is no setting"),
        ("mobilenext_fig4a_1.0", {"block": "fig4b"}, "'block' is no setting"),
        ("mobilenet_v2_1.0", {"identity_ratio": 1}, "known: block, dropout"),
        ("mobilenext_0.5", {"identity_ratio": 2}, "mobilenext_0.5: identity_ratio: 2 "),
        ("mobilenext_se_1.1", {"num_classes": -1}, "mobilenext_se_1.1: num_classes: -1"),
    ],
)
def test_settings_that_are_refused(name, settings, message):
    with pytest.raises(ConfigError, match=message):
        build_network(name, **settings)


@pytest.mark.parametrize("name", ["mobilenext_0.35", "mobilenext_se_1.0", "mobilenet_v2_0.35"])
def test_images_that_are_too_small(name):
    model = on_meta(name)
    for height, width in [(31, 64), (64, 31), (1, 1)]:
        x = torch.empty(1, 3, height, width, device="meta")
        for call in (model, model.forward_features, model.feature_maps):
            with pytest.raises(ConfigError, match=f"{height} x {width} .* at least 32 x 32"):
                call(x)
