"""DrNAS: settings, warm-up, and both forms of its supernet."""

import pytest
import torch

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.operators import resolve
from nas.search.method import Progress
from nas.search.methods.drnas import DrNas
from nas.space import load_space
from nas.supernet import Alphas, Supernet


@pytest.fixture
def space():
    space = load_space("skip_connect+sep_conv_3x3+max_pool_3x3")
    resolve(space)
    return space


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channel_fraction": 0}, "channel_fraction: expected 1 or more, found 0"),
        ({"warmup_epochs": -1}, "warmup_epochs: expected 0 or more, found -1"),
        ({"kl": -0.1}, "kl: expected 0 or more, found -0.1"),
        ({"stages": 3}, "stages: expected 1 or 2, found 3"),
        ({"keep": 3}, "keep: has no effect without stages=2"),
        ({"stages": 2, "keep": 1}, "keep: expected 2 or more, found 1"),
        ({"channel_fraction": 4, "second_fraction": 2}, "second_fraction: has no effect without"),
        (
            {"stages": 2, "channel_fraction": 2, "second_fraction": 4},
            "second_fraction: expected 1 to channel_fraction 2, found 4",
        ),
        ({"rank": "means"}, "rank: found 'means'; did you mean 'mean'?"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ConfigError) as error:
        DrNas(**settings)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("settings", "config", "message"),
    [
        ({"channel_fraction": 3}, {}, "init_channels: expected a multiple of channel_fraction 3"),
        ({"warmup_epochs": 50}, {}, "epochs: found 50, but the alphas rest for the first 50"),
        (
            {"stages": 2, "warmup_epochs": 25},
            {},
            "epochs: found 50, but the alphas rest for the first 25 epochs of each stage",
        ),
        (
            {"stages": 2, "channel_fraction": 4, "second_fraction": 3},
            {},
            "init_channels: expected a multiple of second_fraction 3, found 16",
        ),
        ({"stages": 2}, {"compile": "default"}, "compile: found default, but the second stage"),
        ({"stages": 2}, {"epochs": 1}, "epochs: expected 2 or more, one for each stage"),
        ({"stages": 2}, {}, "keep: found 4, but no edge of space .* has more than 3 operators"),
        (
            {"stages": 2, "keep": 3, "channel_fraction": 2, "second_fraction": 2},
            {},
            "keep: found 3, .* so the second stage would change nothing",
        ),
        ({"kl": 1e-3}, {}, "alpha_weight_decay: found 0.001, but kl"),
        ({}, {"order": "second_order"}, "order: the method allows first_order"),
    ],
)
def test_what_does_not_fit(space, settings, config, message):
    with pytest.raises(ConfigError, match=message):
        DrNas(**settings).check(SearchConfig(**config), space)


def test_what_fits(space):
    """A second stage may prune, widen or do both."""
    DrNas(kl=1e-3).check(SearchConfig(alpha_weight_decay=0.0), space)
    DrNas(stages=2, keep=2).check(SearchConfig(epochs=2), space)
    DrNas(stages=2, channel_fraction=4, second_fraction=2).check(SearchConfig(epochs=2), space)


@pytest.mark.parametrize("fraction", [1, 2])
def test_both_forms_agree(space, fraction):
    """The fast form and the definition have the same logits and gradients of the alphas."""
    method, progress = DrNas(channel_fraction=fraction), Progress(0, 1)
    alphas = Alphas(space, 1.0).double()
    noise = method.draw(alphas, progress, torch.Generator().manual_seed(3))
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    results = []
    for by_source in (True, False):
        torch.manual_seed(0)
        net = Supernet(
            space, init_channels=4, num_cells=3, by_source=by_source, build_edge=method.build_edge
        ).double()
        logits = net(x, method.arch_weights(alphas, progress, noise))
        results.append([logits, *torch.autograd.grad(logits.square().sum(), alphas.parameters())])
    for fast, definition in zip(*results, strict=True):
        torch.testing.assert_close(fast, definition)
