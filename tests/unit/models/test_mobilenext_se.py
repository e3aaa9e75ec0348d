"""The SE models of Table 6, layer by layer."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nas.errors import ConfigError
from nas.layers import SameConv2d
from nas.models import mobilenext_se
from nas.models.mobilenext_se_blocks import SESandglass
from tests.unit.models.layer_lists import layers_of


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def on_meta(depth):
    with torch.device("meta"):
        return mobilenext_se(depth)


class TestBlocks:
    def test_without_groups(self):
        """The four kinds of block of the 3.94 M model; SE comes last on the branch."""
        features = on_meta("1.0").features
        assert layers_of(features[0]) == ["conv3 s2 3-32", "bn", "silu"]
        # t = 2: everything, at stride 1
        assert layers_of(features[1]) == [
            *["dw3 32", "bn", "silu", "pw 32-16", "bn", "pw 16-96", "bn", "silu", "dw3 96", "bn"],
            *["pw 96-12", "pw 12-96", "silu"],
        ]
        # transition at stride 2, with a 5 x 5 kernel
        assert layers_of(features[3]) == [
            *["pw 144-24", "bn", "pw 24-192", "bn", "silu", "dw5 s2 192", "bn"],
            *["pw 192-8", "pw 8-192", "silu"],
        ]
        # transition at stride 1: no depthwise convolution
        assert layers_of(features[9]) == [
            *["pw 288-48", "bn", "pw 48-384", "bn", "silu", "pw 384-16", "pw 16-384", "silu"]
        ]
        # repeat
        assert layers_of(features[4]) == [
            *["dw5 192", "bn", "silu", "pw 192-32", "bn", "pw 32-192", "bn", "silu"],
            *["dw5 192", "bn", "pw 192-8", "pw 8-192", "silu"],
        ]
        assert layers_of(features[20])[:4] == ["pw 960-160", "bn", "pw 160-1280", "bn"]

    def test_with_groups(self):
        """Both pointwise convolutions have two groups, except in transitions; h = 214 is even."""
        features = on_meta("1.1").features
        assert layers_of(features[2])[3:7] == ["pw g2 96-48", "bn", "pw g2 48-96", "bn"]
        assert layers_of(features[3])[:3] == ["pw 96-16", "bn", "pw 16-144"]
        assert layers_of(features[28])[3:6] == ["pw g2 1280-214", "bn", "pw g2 214-1280"]

    @pytest.mark.parametrize(
        ("depth", "expected"),
        [("1.0", [192] * 2 + [288] * 2 + [384] * 3 + [576] * 3 + [960] * 2),
         ("1.1", [144] + [192] * 3 + [288] * 3 + [384] * 4 + [576] * 4 + [960] * 3 + [1280])],
    )  # fmt: skip
    def test_shortcuts(self, depth, expected):
        """12 and 19 of them, and none in the stage with t = 2."""
        blocks = [b for b in on_meta(depth).features[1:] if getattr(b, "has_shortcut", False)]
        assert [block.conv[0].in_channels for block in blocks] == expected

    def test_batch_norms(self):
        norms = [m for m in on_meta("1.0").modules() if isinstance(m, nn.BatchNorm2d)]
        assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


class TestDropPath:
    def test_grows_with_depth(self):
        """Block i of n has 0.2 * i / n, also where it is set later."""
        model = on_meta("1.0")
        blocks = model.features[1:]
        expected = [0.2 * index / 20 for index in range(20)]
        assert [block.drop_prob for block in blocks] == pytest.approx(expected)
        model.drop_path_prob = 0.4
        assert model.drop_path_prob == 0.4
        assert [block.drop_prob for block in blocks] == pytest.approx([2 * p for p in expected])

    def test_drops_the_branch_of_whole_images_in_training_only(self):
        """An image keeps x alone, or gets its branch scaled by 1 / (1 - p)."""
        with torch.device("meta"):
            spec_model = mobilenext_se("1.0")
        block = spec_model.features[4].to_empty(device="cpu")
        for module in block.modules():
            if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
                module.reset_parameters()
        assert isinstance(block, SESandglass)
        x = torch.randn(16, 192, 3, 3)
        block.eval()
        branch = block(x) - x
        block.training = True  # drop path alone: the BatchNorms stay in eval mode
        block.drop_prob = 0.5
        added = block(x) - x
        dropped = (added == 0).flatten(1).all(1)
        assert 0 < dropped.sum() < 16
        torch.testing.assert_close(added[~dropped], 2 * branch[~dropped], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel_size", "size", "padding"),
    [(3, 8, (0, 1)), (5, 8, (1, 2)), (3, 7, (1, 1)), (5, 7, (2, 2)), (3, 1, (1, 1))],
)
def test_same_padding(kernel_size, size, padding):
    """TensorFlow's rule: what cannot be halved stands at the end."""
    conv = SameConv2d(4, 4, kernel_size, 2, groups=4).double()
    x = torch.randn(2, 4, size, 8, dtype=torch.float64)
    across = (0, 1) if kernel_size == 3 else (1, 2)
    expected = F.conv2d(F.pad(x, (*across, *padding)), conv.weight, stride=2, groups=4)
    torch.testing.assert_close(conv(x), expected)
    assert conv(x).shape[-2:] == (-(-size // 2), 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": "1.2"}, "1.0 and 1.1"),
        ({"num_classes": True}, "num_classes"),
        ({"dropout": -0.1}, "dropout"),
        ({"drop_path_prob": 1}, "drop_path_prob"),
        ({"in_channels": 0}, "in_channels"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ConfigError, match=message):
        mobilenext_se(**settings)
