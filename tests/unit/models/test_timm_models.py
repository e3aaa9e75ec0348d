"""Our networks in timm's registry, with timm, without it and with a broken one."""

import importlib.util
import sys

import pytest
import torch

import nas.models
from nas.errors import ConfigError
from nas.genotype import random_chain
from nas.models import timm_models
from nas.runtime.complexity import count_parameters
from nas.space import load_chain_space


class TestWithTimm:
    @pytest.fixture
    def timm(self):
        return pytest.importorskip("timm")

    def test_registered_on_import(self, timm):
        """Importing nas.models is enough, and timm's own MobileNetV2 stays."""
        assert set(timm_models.timm_names()) <= set(timm.list_models())
        assert timm.list_models("mobilenext_[0-9]*") == [
            f"mobilenext_{width}" for width in ("035", "050", "075", "100", "140")
        ]
        assert type(timm.create_model("mobilenetv2_035")).__module__.startswith("timm.")

    @pytest.mark.parametrize(
        ("name", "parameters"),
        [("mobilenext_100", 3_535_416), ("mobilenext_se_110", 4_284_938)],
    )
    def test_create_model(self, timm, name, parameters):
        """It is our network, with our counts."""
        with torch.device("meta"):
            model = timm.create_model(name)
        assert type(model).__module__.startswith("nas.models.")
        assert count_parameters(model) == parameters
        assert model.default_cfg["input_size"] == (3, 224, 224)

    def test_settings(self, timm):
        """The names that timm gives to settings mean here what they mean there."""
        create = timm.create_model
        model = create("mobilenext_035", num_classes=5, in_chans=1, drop_rate=0.4).eval()
        assert model.classifier[0].p == 0.4
        assert model(torch.zeros(1, 1, 32, 32)).shape == (1, 5)
        features = create("mobilenext_035", num_classes=0).eval()
        assert features(torch.zeros(2, 3, 32, 32)).shape == (2, 1280)
        with torch.device("meta"):
            assert create("mobilenext_se_100", drop_path_rate=0.1).drop_path_prob == 0.1
            assert (
                create("mobilenext_100", identity_ratio="1/2").features[4].shortcut_channels == 96
            )

    @torch.no_grad()
    def test_features_only(self, timm):
        """The maps are those of `feature_maps`, and timm knows their widths and strides."""
        torch.manual_seed(0)
        model = timm.create_model("mobilenext_035", features_only=True).eval()
        torch.manual_seed(0)
        ours = nas.models.build_network("mobilenext_0.35").eval()
        x = torch.randn(1, 3, 64, 64)
        torch.testing.assert_close(list(model(x)), ours.feature_maps(x))
        assert model.feature_info.channels() == [48, 64, 136, 1280]
        assert model.feature_info.reduction() == [4, 8, 16, 32]

    def test_a_network_of_a_chain(self, timm, tmp_path):
        """One name for all of them; the file says which."""
        chain = random_chain(load_chain_space("mobilenext_chain_64"), 0)
        (tmp_path / "network.json").write_text(chain.to_json())
        with torch.device("meta"):
            model = timm.create_model("nas_chain", network=tmp_path / "network.json", num_classes=5)
        assert count_parameters(model) == chain.count("parameters", num_classes=5)
        with pytest.raises(ConfigError, match="network: found none; give the path"):
            timm.create_model("nas_chain")

    def test_no_published_weights(self, timm):
        with pytest.raises(ConfigError, match="publishes no weights"):
            timm.create_model("mobilenext_100", pretrained=True)

    def test_registering_twice_is_once(self, timm):
        """No warning of an overwritten name; warnings are errors here."""
        assert timm_models.register() is True


def test_without_timm(monkeypatch):
    """Where it is not installed nothing happens."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "timm.models", None)
    assert timm_models.register() is False


def test_with_a_broken_timm(monkeypatch):
    """Where it cannot be imported that is a warning; our own functions do not need it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "timm.models", None)
    with pytest.warns(UserWarning, match="timm is installed but cannot be imported"):
        assert timm_models.register() is False
