"""Schedules against their closed forms."""

import math

import pytest
import torch
from torch import nn

from nas.config import AugmentConfig
from nas.train.recipe import build_optimizer, drop_path_prob_at, learning_rate_at


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


def test_warm_up_rises_to_the_peak_and_the_cosine_starts_there():
    config = AugmentConfig(warmup_epochs=4, epochs=12, learning_rate=0.4, learning_rate_min=0.1)
    rates = [learning_rate_at(epoch, config) for epoch in range(12)]
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    assert rates[8] == pytest.approx((0.4 + 0.1) / 2)
    assert rates[11] == pytest.approx(0.1 + 0.3 * (1 + math.cos(math.pi * 7 / 8)) / 2)


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
