"""What the settings choose in a training recipe: optimizer, learning rate, drop path.

Source: DARTS (arXiv:1806.09055), Sec. 3.1 (CIFAR-10) and 3.3 (ImageNet), and its code; MobileNeXt
(arXiv:2007.02269), Sec. 4.1, and the logs of its released models.
"""

from typing import Any

import torch
from torch import nn

from nas.config import AugmentConfig
from nas.runtime.loop import cosine


def build_optimizer(net: nn.Module, config: AugmentConfig) -> torch.optim.Optimizer:
    """Build the optimizer for all parameters of a network.

    Without `norm_decay` parameters of one dimension (BatchNorms, biases) have no weight decay.

    Deviation: the released SE models were trained with the RMSprop of TensorFlow, whose epsilon is
    inside the square root and whose mean square starts at 1; torch's RMSprop is used here.
    """
    parameters = list(net.parameters())
    plain = [] if config.norm_decay else [p for p in parameters if p.ndim <= 1]
    decayed = parameters if config.norm_decay else [p for p in parameters if p.ndim > 1]
    groups: list[dict[str, Any]] = [{"params": decayed, "weight_decay": config.weight_decay}]
    if plain:
        groups.append({"params": plain, "weight_decay": 0.0})
    lr, momentum = config.learning_rate, config.momentum
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr, alpha=0.9, eps=1e-3, momentum=momentum)
    return torch.optim.SGD(groups, lr, momentum, nesterov=config.nesterov)


def num_slots(config: AugmentConfig) -> int:
    """Return how many numbers a run keeps per weight, without the weight and its gradient.

    They are the momentum, the mean square of RMSprop and the moving average of the weights.
    """
    return (config.momentum > 0) + (config.optimizer == "rmsprop") + (config.ema_decay > 0)


def num_epochs(config: AugmentConfig) -> int:
    """Return the number of epochs, including the cool-down."""
    return config.epochs + config.cooldown_epochs


def learning_rate_at(epoch: int, config: AugmentConfig) -> float:
    """Return the learning rate of an epoch.

    warm-up, epochs 0 to W - 1:  lr_w + (lr - lr_w) * epoch / W
    cosine:       lr_min + (lr - lr_min) * (1 + cos(pi * epoch / E)) / 2, lr_min from epoch E on
    exponential:  lr * decay_rate ** floor(epoch / decay_epochs)

    The warm-up replaces the first epochs of the schedule and does not shift it, as in the logs of
    the released MobileNeXt.

    Args:
        epoch: Counted from 0.
        config: Gives lr, lr_w = warmup_learning_rate, W = warmup_epochs, E = epochs, ...
    """
    if epoch < config.warmup_epochs:
        start = config.warmup_learning_rate
        return start + (config.learning_rate - start) * epoch / config.warmup_epochs
    if config.schedule == "exponential":
        return config.learning_rate * config.decay_rate ** (epoch // config.decay_epochs)
    progress = min(1.0, epoch / config.epochs)
    return cosine(config.learning_rate, config.learning_rate_min, progress)


def drop_path_prob_at(epoch: int, config: AugmentConfig) -> float | None:
    """Return drop_path_prob * epoch / epochs, linear as in DARTS; None if it is off."""
    if config.drop_path_prob is None:
        return None
    return config.drop_path_prob * min(1.0, epoch / config.epochs)
