"""Estimate time and memory of a run from a few steps that leave no trace."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from nas.runtime.compute import Batch
from nas.runtime.loop import ResumableLoader
from nas.runtime.memory import peak_memory_mib
from nas.runtime.step_memory import LONG_RUN_STEPS, StepMemory

NUM_TIMED_STEPS = 3


@dataclass(frozen=True)
class Estimate:
    """The cost of training, without reading and measuring."""

    step_time_s: float
    epoch_time_s: float
    peak_memory_mib: float


class TimedLoop(Protocol):
    """What a loop has whose steps are timed."""

    device: torch.device
    train_loader: ResumableLoader
    epoch: int
    epochs: int

    @property
    def net(self) -> nn.Module:
        """What is trained."""

    def example_batch(self) -> Batch:
        """Return a batch of random images."""

    def step(self, batch: Batch) -> None:
        """Update the weights once."""

    def state_dict(self) -> dict:
        """Return the whole state."""

    def load_state_dict(self, state: dict) -> None:
        """Restore a state."""


def estimate(loop: TimedLoop) -> Estimate:
    """Run one warm-up step and three timed steps on random images, then restore everything.

    Weights, BatchNorm statistics, optimizer and random generators are restored exactly.
    """
    saved = copy.deepcopy(loop.state_dict())
    batch = loop.example_batch()
    loop.net.train()
    started_s = 0.0
    for number in range(1 + NUM_TIMED_STEPS):
        if number == 1:
            _synchronize(loop.device)
            started_s = time.perf_counter()
        loop.step(batch)
    _synchronize(loop.device)
    step_time_s = (time.perf_counter() - started_s) / NUM_TIMED_STEPS
    loop.load_state_dict(saved)
    return Estimate(
        step_time_s=step_time_s,
        epoch_time_s=step_time_s * len(loop.train_loader),
        peak_memory_mib=peak_memory_mib(loop.device),
    )


def announce_duration(
    loop: TimedLoop, memory: StepMemory, announce: Callable[[str], None], unit: str = "epoch"
) -> None:
    """Say how long a long run will take, before it begins."""
    epochs_left = loop.epochs - loop.epoch
    if epochs_left * len(loop.train_loader) < LONG_RUN_STEPS:
        return
    announce(memory.describe())
    cost = estimate(loop)
    announce(
        f"estimate: {cost.step_time_s:.3f} s per step, {cost.epoch_time_s:.0f} s per {unit}, "
        f"{cost.epoch_time_s * epochs_left / 3600:.2f} h of training steps to the end; peak memory "
        f"{cost.peak_memory_mib:.0f} MiB"
    )


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
