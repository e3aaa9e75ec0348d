"""Our MobileNeXt, its SE models and MobileNetV2 against figures of the released code."""

import pytest
import torch
from torch import nn

from nas.layers import Transition
from nas.models import build_network
from nas.models.mobilenext_table import released_blocks, stem_width
from nas.runtime.complexity import count_madds, count_parameters
from tests.golden import fill

GOLDEN = fill.load("mobilenext.json")
CHECKPOINT = fill.load("mobilenext_checkpoint_keys.json")
MODELS = GOLDEN["models"]
SIZE = 224

OURS = {
    "mobilenext_1.4": ("mobilenext_1.4", {}),
    "mobilenext_1": ("mobilenext_1.0", {}),
    "mobilenext_0.75": ("mobilenext_0.75", {}),
    "mobilenext_0.5": ("mobilenext_0.5", {}),
    "mobilenext_0.35": ("mobilenext_0.35", {}),
    "mobilenext_1_identity_1/2": ("mobilenext_1.0", {"identity_ratio": "1/2"}),
    "mobilenext_1_identity_1/3": ("mobilenext_1.0", {"identity_ratio": "1/3"}),
    "mobilenext_1_identity_1/6": ("mobilenext_1.0", {"identity_ratio": "1/6"}),
    "mobilenext_se_1.0": ("mobilenext_se_1.0", {}),
    "mobilenext_se_1.1": ("mobilenext_se_1.1", {}),
    "mobilenet_v2_1.0 (torchvision)": ("mobilenet_v2_1.0", {}),
}
WITH_LOGITS = [key for key in OURS if "logits_eval_first8" in MODELS[key]]


def on_meta(key):
    name, settings = OURS[key]
    with torch.device("meta"):
        return build_network(name, **settings)


def test_every_golden_model_is_tested():
    """The list above leaves out none of the golden file, and five of them have logits."""
    assert set(OURS) == set(MODELS)
    assert len(WITH_LOGITS) == 5


@pytest.mark.parametrize("key", OURS)
def test_parameters_and_madds(key):
    """Parameters and multiply-adds at 224 x 224, to the integer."""
    model = on_meta(key)
    assert count_parameters(model) == MODELS[key]["parameters"]
    assert count_madds(model, (3, SIZE, SIZE)) == MODELS[key]["madds_224x224"]


def statistics(logits):
    return torch.cat([logits[:, :8].flatten(), logits.std().reshape(1)])


def expected_statistics(entry, mode):
    first8 = torch.tensor(entry[f"logits_{mode}_first8"], dtype=torch.float64)
    std = torch.tensor([entry[f"logits_{mode}_std"]], dtype=torch.float64)
    return torch.cat([first8.flatten(), std])


@pytest.mark.parametrize("key", WITH_LOGITS)
@torch.no_grad()
def test_logits(key):
    """Float64 logits, with running statistics and with those of the batch, to 1e-8."""
    name, settings = OURS[key]
    model = fill.fill_weights(build_network(name, **settings)).eval()
    images, _ = fill.batch(2, 0, SIZE)
    found = statistics(model(images))
    torch.testing.assert_close(
        found, expected_statistics(MODELS[key], "eval"), rtol=1e-8, atol=1e-8
    )
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    found = statistics(model(images))
    torch.testing.assert_close(
        found, expected_statistics(MODELS[key], "batchstat"), rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize("width", GOLDEN["blocks"])
def test_block_table(width):
    """Widths, strides and shortcuts of all 20 blocks, as specified and as built."""
    expected = GOLDEN["blocks"][width]
    specs = released_blocks(float(width), 1)
    assert len(specs) == len(expected) == 20
    assert specs[0].in_channels == stem_width(float(width))
    blocks = list(on_meta(f"mobilenext_{width}").features)[1:]
    for spec, block, entry in zip(specs, blocks, expected, strict=True):
        convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
        dense = [conv for conv in convs if conv.groups == 1]
        assert (spec.in_channels, spec.hidden_channels, spec.out_channels, spec.stride) == (
            entry["in"],
            entry["hidden"],
            entry["out"],
            entry["stride"],
        )
        assert [(conv.in_channels, conv.out_channels) for conv in dense] == [
            (entry["in"], entry["hidden"]),
            (entry["hidden"], entry["out"]),
        ]
        assert (convs[0].groups > 1) == entry["first_depthwise"]
        assert (convs[-1].groups > 1) == entry["last_depthwise"]
        assert convs[-1].stride[0] == entry["stride"]
        assert isinstance(block, Transition) == (not entry["first_depthwise"])
        shortcut = getattr(block, "shortcut_channels", 0)
        assert shortcut == (entry["in"] if entry["shortcut"] else 0)


def test_checkpoint_keys():
    """The state dict has the names, order and shapes of the released checkpoints."""
    found = {
        key: list(tensor.shape) for key, tensor in on_meta("mobilenext_1").state_dict().items()
    }
    assert found == CHECKPOINT["keys"]
    assert list(found) == list(CHECKPOINT["keys"])
