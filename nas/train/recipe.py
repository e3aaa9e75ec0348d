"""The parts of a training recipe that settings choose: optimiser, learning rate, drop path.

Source: DARTS (arXiv:1806.09055), Sec. 3.1 (CIFAR-10) and 3.3 (ImageNet), and its code.
"""

import torch
from torch import nn

from nas.config import AugmentConfig
from nas.runtime.loop import cosine


def build_optimizer(net: nn.Module, config: AugmentConfig) -> torch.optim.Optimizer:
    """Build SGD over all parameters of a network."""
    return torch.optim.SGD(
        net.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=config.nesterov,
    )


def learning_rate_at(epoch: int, config: AugmentConfig) -> float:
    """Return the learning rate of an epoch.

    Warm-up, epochs 0 to W - 1:  lr * (epoch + 1) / W
    cosine:       lr_min + (lr - lr_min) * (1 + cos(pi * (epoch - W) / (E - W))) / 2
    exponential:  lr * decay_rate ** (epoch - W)

    Args:
        epoch: Counted from 0.
        config: Gives lr, lr_min, schedule, decay_rate, W = warmup_epochs and E = epochs.
    """
    if epoch < config.warmup_epochs:
        return config.learning_rate * (epoch + 1) / config.warmup_epochs
    passed = epoch - config.warmup_epochs
    if config.schedule == "exponential":
        return config.learning_rate * config.decay_rate**passed
    progress = passed / (config.epochs - config.warmup_epochs)
    return cosine(config.learning_rate, config.learning_rate_min, progress)


def drop_path_prob_at(epoch: int, config: AugmentConfig) -> float:
    """Return drop_path_prob * epoch / epochs, the linear schedule of DARTS."""
    return config.drop_path_prob * epoch / config.epochs
