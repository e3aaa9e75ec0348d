"""Schedules against their closed forms."""

import math

import pytest
import torch
from torch import nn

from nas.config import AugmentConfig, parse_settings
from nas.train.recipe import (
    build_optimizer,
    drop_path_prob_at,
    learning_rate_at,
    num_epochs,
    num_slots,
)


def test_cosine_is_that_of_torch():
    """The DARTS recipe: 0.025 to 0 over 600 epochs."""
    config = AugmentConfig()
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.025)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)
    for epoch in range(600):
        assert learning_rate_at(epoch, config) == pytest.approx(schedule.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        schedule.step()


def test_exponential():
    """DARTS on ImageNet: 0.1 times 0.97 an epoch."""
    config = AugmentConfig(schedule="exponential", learning_rate=0.1, epochs=250)
    assert learning_rate_at(0, config) == 0.1
    assert learning_rate_at(249, config) == pytest.approx(0.1 * 0.97**249, rel=1e-12)


def test_released_mobilenext():
    """The log of the 74.02 run: warm-up from 1e-4, 3.467e-05 in epoch 198, ten epochs at 1e-5."""
    config = parse_settings(
        AugmentConfig, "augment.py", "", ["--config=experiments/imagenet/mobilenext_released.yaml"]
    )
    assert num_epochs(config) == 210
    assert learning_rate_at(198, config) == pytest.approx(3.467e-05, rel=1e-4)
    assert [learning_rate_at(epoch, config) for epoch in (200, 209)] == pytest.approx([1e-5] * 2)
    assert learning_rate_at(0, config) == 1e-4
    assert learning_rate_at(1, config) == pytest.approx(1e-4 + (0.1 - 1e-4) / 3)
    after = 1e-5 + 0.5 * (0.1 - 1e-5) * (1 + math.cos(math.pi * 3 / 200))
    assert learning_rate_at(3, config) == pytest.approx(after)


def test_steps():
    """The SE models: times 0.97 every 2.4 epochs."""
    config = AugmentConfig(schedule="exponential", decay_epochs=2.4, learning_rate=0.12)
    rates = [learning_rate_at(epoch, config) for epoch in (0, 2, 3, 4, 5, 24)]
    assert rates == pytest.approx([0.12 * 0.97**n for n in (0, 0, 1, 1, 2, 10)])


def test_no_decay_of_norms_and_biases():
    """Every parameter is in one group; only matrices and filters are decayed."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    decayed, plain = build_optimizer(net, AugmentConfig(norm_decay=False)).param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (3e-4, 0)
    assert {id(p) for p in decayed["params"]} == {id(net[0].weight), id(net[2].weight)}
    assert len(decayed["params"]) + len(plain["params"]) == len([*net.parameters()])
    assert len(build_optimizer(net, AugmentConfig()).param_groups) == 1


def test_rmsprop():
    """One step by hand: s = 0.1 g^2; buf = g / (sqrt(s) + 0.001); w -= lr * buf."""
    layer = nn.Linear(1, 1, bias=False)
    w = layer.weight.item()
    config = AugmentConfig(optimizer="rmsprop", learning_rate=0.5, weight_decay=0)
    optimizer = build_optimizer(layer, config)
    (2 * layer.weight).sum().backward()
    optimizer.step()
    expected = w - 0.5 * 2 / (math.sqrt(0.1 * 4) + 0.001)
    assert layer.weight.item() == pytest.approx(expected, rel=1e-6)


def test_drop_path_is_linear():
    config = AugmentConfig(drop_path_prob=0.2, epochs=600)
    assert [drop_path_prob_at(e, config) for e in (0, 300, 599)] == pytest.approx(
        [0, 0.1, 0.2 * 599 / 600]
    )


@pytest.mark.parametrize("nesterov", [False, True])
def test_one_step_of_the_optimizer(nesterov):
    """SGD by hand: g = grad + wd * w; buf = g; w -= lr * (g + m * buf if nesterov else buf)."""
    layer = nn.Linear(1, 1, bias=False)
    w = layer.weight.item()
    config = AugmentConfig(
        learning_rate=0.5, momentum=0.9, weight_decay=0.1, nesterov=nesterov, grad_clip=None
    )
    optimizer = build_optimizer(layer, config)
    (2 * layer.weight).sum().backward()
    optimizer.step()
    g = 2 + 0.1 * w
    assert layer.weight.item() == pytest.approx(w - 0.5 * (g * 1.9 if nesterov else g), rel=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_slots_are_what_the_optimiser_keeps(optimizer, momentum):
    """The memory estimate counts as many numbers a weight as the optimiser has after a step."""
    config = AugmentConfig(optimizer=optimizer, momentum=momentum)
    net = nn.Linear(2, 3)
    chosen = build_optimizer(net, config)
    net(torch.ones(2)).sum().backward()
    chosen.step()
    kept = [value for value in chosen.state[net.weight].values() if torch.is_tensor(value)]
    assert num_slots(config) == sum(value.shape == net.weight.shape for value in kept)
    assert num_slots(AugmentConfig(ema_decay=0.9)) == 2
