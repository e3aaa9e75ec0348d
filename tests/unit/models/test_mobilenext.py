"""MobileNeXt against the tables of the paper, layer by layer and tensor by tensor."""

import copy
import math
from fractions import Fraction

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from nas.errors import ConfigError
from nas.layers import Sandglass, add_identity
from nas.models import mobilenext
from nas.models.mobilenext_blocks import BLOCKS
from nas.runtime.complexity import count_madds, count_parameters
from nas.space.channels import round_channels
from tests.unit.models.layer_lists import layers_of

TABLE_2 = [
    # input size, input channels, t, c, b, s (b of 960 as corrected by the authors)
    (112, 32, 2, 96, 1, 2),
    (56, 96, 6, 144, 1, 1),
    (56, 144, 6, 192, 3, 2),
    (28, 192, 6, 288, 3, 2),
    (14, 288, 6, 384, 4, 1),
    (14, 384, 6, 576, 4, 2),
    (7, 576, 6, 960, 3, 1),
    (7, 960, 6, 1280, 1, 1),
]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def on_meta(*args, **settings):
    with torch.device("meta"):
        return mobilenext(*args, **settings).eval()


class TestPaperVariant:
    def test_tables_1_and_2_layer_by_layer(self):
        """Each block has the four layers of Table 1, with the widths and strides of Table 2."""
        expected = [["conv3 s2 3-32", "bn", "relu6"]]
        for _, in_channels, t, out_channels, num_blocks, stride in TABLE_2:
            for index in range(num_blocks):
                m, s = (in_channels, stride) if index == 0 else (out_channels, 1)
                last = f"dw3 s{s}" if s > 1 else "dw3"
                dw1 = [f"dw3 {m}", "bn", "relu6"]
                pw = [f"pw {m}-{m // t}", "bn", f"pw {m // t}-{out_channels}", "bn", "relu6"]
                expected.append([*dw1, *pw, f"{last} {out_channels}", "bn"])
        model = on_meta(variant="paper")
        assert [layers_of(layer) for layer in model.features] == expected

    def test_resolutions_of_table_2(self):
        """Each stage receives the size and width that the table prints, and 7 x 7 x 1280 ends."""
        model = on_meta(variant="paper")
        seen = []
        for block in model.features[1:]:
            block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1:]))
        last = model.forward_features(torch.empty(1, 3, 224, 224, device="meta"))
        first = 0
        for size, channels, _, _, num_blocks, _ in TABLE_2:
            assert seen[first] == (channels, size, size)
            first += num_blocks
        assert last.shape == (1, 1280, 7, 7)

    @pytest.mark.parametrize(
        ("width", "parameters", "madds"),
        [
            (1.4, 5.639, 517.8),
            (0.75, 2.513, 180.0),
            (0.5, 1.903, 86.9),
            (0.35, 1.638, 54.2),
        ],
    )
    def test_counts_of_other_widths(self, width, parameters, madds):
        model = on_meta(width, variant="paper")
        assert round(count_parameters(model) / 1e6, 3) == parameters
        assert round(count_madds(model, (3, 224, 224)) / 1e6, 1) == madds

    def test_counts(self):
        """Table 2 at width 1, to the integer."""
        model = on_meta(variant="paper")
        assert count_parameters(model) == 3_305_720
        assert count_madds(model, (3, 224, 224)) == 274_594_944


@pytest.mark.parametrize(
    ("variant", "ratio"),
    [("released", 1), ("released", 1 / 3), ("released", "1/6"), ("released", 0), ("paper", 0.5)],
)
@torch.no_grad()
def test_eq_4_in_the_built_network(variant, ratio):
    """In all 12 shortcuts floor(M * ratio) channels carry the sum and the others do not."""
    model = mobilenext(0.35, ratio, num_classes=2, variant=variant).eval()
    num_shortcuts = 0
    for block in model.features[1:]:
        if not isinstance(block, Sandglass) or block.conv[-2].stride != (1, 1):
            continue
        channels = block.conv[0].in_channels
        if channels != block.conv[-2].out_channels:
            continue
        num_shortcuts += 1
        x = torch.rand(2, channels, 3, 3) + 1
        residual, output = block.conv(x), block(x)
        num = math.floor(channels * Fraction(ratio).limit_denominator(6))
        assert torch.equal(output[:, :num], residual[:, :num] + x[:, :num])
        assert torch.equal(output[:, num:], residual[:, num:])
    assert num_shortcuts == 12


class Recorder(TorchDispatchMode):
    """Notes every operation that reaches the dispatcher, with the shapes of its tensors."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        shapes = [tuple(a.shape) for a in args if isinstance(a, torch.Tensor)]
        self.calls.append((function.overloadpacket.__name__, shapes))
        return function(*args, **(kwargs or {}))


class TestShortcut:
    @pytest.mark.parametrize("channels", [4, 12])
    def test_copies_nothing(self, channels):
        """It is views and one sum in place on k channels: no cat, no pad, no copy."""
        residual, x = torch.randn(2, 12, 4, 4), torch.randn(2, 12, 4, 4)
        with Recorder() as recorder:
            found = add_identity(residual, x, channels)
        assert found is residual
        work = [call for call in recorder.calls if call[0] not in ("slice", "alias")]
        assert work == [("add_", [(2, channels, 4, 4)] * 2)]

    def test_no_shortcut_does_nothing(self):
        residual = torch.randn(2, 12, 4, 4)
        with Recorder() as recorder:
            assert add_identity(residual, residual.clone(), 0) is residual
        assert [name for name, _ in recorder.calls] == ["clone"]

    @pytest.mark.parametrize("block", ["sandglass", "fig4b", "last_relu6"])
    @pytest.mark.parametrize("ratio", ["1/3", 1])
    def test_gradients(self, block, ratio):
        """Those of the sum in place are those of one that makes a new tensor, in training."""
        model = mobilenext(0.35, ratio, num_classes=2, block=block).double()
        built = next(b for b in model.features[1:] if getattr(b, "shortcut_channels", 0))
        x = torch.randn(2, built.conv[0].in_channels, 4, 4, dtype=torch.float64)
        first, second = (x.clone().requires_grad_() for _ in range(2))
        built(first).square().sum().backward()
        carries = torch.arange(x.shape[1]).view(1, -1, 1, 1) < built.shortcut_channels
        (built.conv(second) + second * carries).square().sum().backward()
        torch.testing.assert_close(first.grad, second.grad)

    @pytest.mark.parametrize("ratio", [pytest.param("1/3", marks=pytest.mark.slow), 1])
    def test_torch_compile(self, ratio):
        """One graph, without breaks, with the same output and gradients in training."""
        model = mobilenext(0.35, ratio, num_classes=2)
        block = next(b for b in model.features[1:] if getattr(b, "shortcut_channels", 0))
        x = torch.randn(2, block.conv[0].in_channels, 6, 6)
        results = []
        for function in (block, torch.compile(block, backend="aot_eager", fullgraph=True)):
            leaf = x.clone().requires_grad_()
            output = function(leaf)
            results.append((output, *torch.autograd.grad(output.square().sum(), leaf)))
        torch.testing.assert_close(results[1], results[0])


def test_channels_last_end_to_end():
    """Every map stays channels_last in training, and nothing else changes."""
    model = mobilenext(0.35, "1/3", num_classes=3, dropout=0).double()
    other = copy.deepcopy(model).to(memory_format=torch.channels_last)
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    maps = other.feature_maps(x.to(memory_format=torch.channels_last))
    assert all(m.is_contiguous(memory_format=torch.channels_last) for m in maps)
    torch.testing.assert_close(maps, model.feature_maps(x))
    maps[-1].square().mean().backward()
    model.zero_grad()
    model.forward_features(x).square().mean().backward()
    for found, expected in zip(other.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad)


REPEAT, WIDE, FIRST = 4, 2, 3
"""Blocks of width 1: a repeat of 192, the 144 block and the first of 192 (stride 2)."""


class TestAblations:
    @pytest.mark.parametrize(
        ("block", "parameters", "madds"),
        [
            ("fig4a", 3_383_704, 240.691),
            ("fig4b", 3_397_080, 244.720),
            ("last_relu6", 3_535_416, 311.343),
            ("bottleneck_shortcut", 3_535_416, 311.343),
        ],
    )
    def test_counts(self, block, parameters, madds):
        """Fig. 4 has the counts of the authors' code; the two of Sec. 4.4 cost nothing."""
        model = on_meta(block=block)
        assert count_parameters(model) == parameters
        assert round(count_madds(model, (3, 224, 224)) / 1e6, 3) == madds

    def test_fig_4b(self):
        """Two dw on the bottleneck, none between them; stride and ReLU6 on the last pw."""
        features = on_meta(block="fig4b").features
        dw = ["dw3 32", "bn"]
        widen = ["pw 32-192", "bn", "relu6"]
        assert layers_of(features[REPEAT]) == ["pw 192-32", "bn", *dw, *dw, "relu6", *widen]
        first = ["pw 144-32", "bn", *dw, "relu6", "pw s2 32-192", "bn", "relu6"]
        assert layers_of(features[FIRST]) == first
        assert layers_of(features[9]) == ["pw 288-64", "bn", "pw 64-384", "bn", "relu6"]
        assert layers_of(features[1])[-3:] == ["pw s2 16-96", "bn", "relu6"]

    def test_fig_4a_is_4b_with_one_depthwise(self):
        features, other = on_meta(block="fig4a").features, on_meta(block="fig4b").features
        dw = ["dw3 32", "bn"]
        expected = ["pw 192-32", "bn", *dw, "relu6", "pw 32-192", "bn", "relu6"]
        assert layers_of(features[REPEAT]) == expected
        assert layers_of(features[FIRST]) == layers_of(other[FIRST])

    @pytest.mark.parametrize("name", ["fig4a", "fig4b", "last_relu6"])
    @torch.no_grad()
    def test_shortcut_after_the_activation(self, name):
        """What is added to x lies in [0, 6], at the 12 shortcuts of the network."""
        model = mobilenext(0.35, num_classes=2, block=name).eval()
        blocks = [b for b in model.features[1:] if b.shortcut_channels]
        assert len(blocks) == 12
        for block in blocks:
            x = 3 * torch.randn(1, block.shortcut_channels, 4, 4)
            added = block(x) - x
            assert added.min() > -1e-5 and added.max() < 6 + 1e-5
            assert added.max() > 0

    def test_last_relu6(self):
        """Every block ends with ReLU6, and is otherwise that of the released model."""
        features, released = on_meta(block="last_relu6").features, on_meta().features
        for block, other in zip(features[1:], released[1:], strict=True):
            words = layers_of(other)
            assert layers_of(block) == words + ["relu6"] * (words[-1] != "relu6")

    @torch.no_grad()
    def test_bottleneck_shortcut(self):
        """The bottlenecks of a stage's repeats are summed up, and the wide ends are not."""
        model = mobilenext(0.35, num_classes=2, block="bottleneck_shortcut").eval()
        chain = model.features[10:13]  # the three repeats of the 384 stage
        x = torch.randn(2, chain[0].reduce[0].in_channels, 4, 4)
        wide, bottleneck = x, 0
        for block in chain:
            bottleneck = block.reduce(wide) + bottleneck
            wide = block.expand(bottleneck)
        torch.testing.assert_close(chain(x), wide)
        carriers = [getattr(block, "carries_bottleneck", False) for block in model.features]
        assert [index for index, carries in enumerate(carriers) if carries] == [
            4, 7, 10, 11, 14, 15, 18,
        ]  # fmt: skip

    def test_own_factory(self):
        """A function of one's own builds every block."""
        seen = []

        def factory(spec):
            seen.append(spec)
            return BLOCKS["sandglass"](spec)

        with torch.device("meta"):
            model = mobilenext(1.0, block=factory)
        assert len(seen) == 20
        assert count_parameters(model) == 3_535_416


def test_initial_weights():
    """N(0, sqrt(2 / (k * k * C_out))) in convolutions, N(0, 0.01) in the linear layer."""
    model = mobilenext()
    depthwise, pointwise = model.features[19].conv[0], model.features[19].conv[5]
    for weight, expected in (
        (depthwise.weight, math.sqrt(2 / (9 * 960))),
        (pointwise.weight, math.sqrt(2 / 960)),
        (model.classifier[1].weight, 0.01),
    ):
        assert abs(weight.std() / expected - 1) < 0.05
    assert model.classifier[1].bias.abs().max() == 0


class TestOtherWidths:
    @pytest.mark.parametrize("width", [0.05, 0.1, 0.6, 2])
    @pytest.mark.parametrize("variant", ["released", "paper"])
    def test_strides_and_shortcuts_do_not_depend_on_width(self, width, variant):
        """At 0.05 rounding lets a first block keep its width; it still strides and adds nothing."""
        model = mobilenext(width, num_classes=2, variant=variant).eval()
        x = torch.zeros(1, 3, 64, 64)
        assert [m.shape[-1] for m in model.feature_maps(x)] == [16, 8, 4, 2]
        shortcuts = [getattr(block, "shortcut_channels", 0) > 0 for block in model.features]
        assert sum(shortcuts) == 12 and not any(shortcuts[:3]) and not shortcuts[20]

    @pytest.mark.parametrize(
        ("channels", "divisor", "expected"),
        [
            (33.6, 8, 32),
            (134.4, 8, 136),
            (11.2, 8, 16),
            (4, 8, 8),
            (213.33, 16, 208),
            (213, 2, 214),
        ],
    )
    def test_rounding(self, channels, divisor, expected):
        """To the nearest multiple, halves up; 11.2 goes to 16, since 8 is less than nine tenths."""
        assert round_channels(channels, divisor) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width_mult": 0}, "width_mult: 0 .* above 0"),
        ({"width_mult": -1.0}, "width_mult"),
        ({"width_mult": float("nan")}, "width_mult"),
        ({"width_mult": 11}, "at most 10"),
        ({"width_mult": "1.0"}, "width_mult"),
        ({"identity_ratio": 1.01}, r"identity_ratio: 1.01 .* \[0, 1\]"),
        ({"identity_ratio": -0.1}, "identity_ratio"),
        ({"identity_ratio": "half"}, "identity_ratio: 'half'"),
        ({"identity_ratio": "1/0"}, "identity_ratio"),
        ({"identity_ratio": float("nan")}, "identity_ratio"),
        ({"identity_ratio": None}, "identity_ratio"),
        ({"num_classes": 0}, "num_classes"),
        ({"in_channels": 1.5}, "in_channels"),
        ({"dropout": 1.0}, "dropout"),
        ({"variant": "relesed"}, "did you mean 'released'"),
        ({"block": "fig4"}, "did you mean 'fig4[ab]'"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ConfigError, match=message):
        mobilenext(**settings)
