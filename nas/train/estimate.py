"""Estimate time and memory of a run from a few steps that leave no trace."""

import copy
import time
from dataclasses import dataclass

import torch

from nas.runtime.memory import peak_memory_mib
from nas.train.trainer import Trainer

NUM_TIMED_STEPS = 3


@dataclass(frozen=True)
class Estimate:
    """The cost of training, without reading and measuring."""

    step_time_s: float
    epoch_time_s: float
    peak_memory_mib: float


def estimate(trainer: Trainer) -> Estimate:
    """Run one warm-up step and three timed steps on random images, then restore everything.

    Weights, BatchNorm statistics, optimizer and random generators are restored exactly.
    """
    saved = copy.deepcopy(trainer.state_dict())
    device = trainer.device
    shape = (trainer.config.batch_size // trainer.ranks.size, *trainer.data.image_shape)
    targets = torch.arange(shape[0], device=device) % trainer.data.num_classes
    batch = trainer.compute.to_device((torch.randn(shape, device=device), targets))
    trainer.net.train()
    started_s = 0.0
    for number in range(1 + NUM_TIMED_STEPS):
        if number == 1:
            _synchronize(device)
            started_s = time.perf_counter()
        trainer.step(batch)
    _synchronize(device)
    step_time_s = (time.perf_counter() - started_s) / NUM_TIMED_STEPS
    trainer.load_state_dict(saved)
    return Estimate(
        step_time_s=step_time_s,
        epoch_time_s=step_time_s * len(trainer.train_loader),
        peak_memory_mib=peak_memory_mib(device),
    )


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
