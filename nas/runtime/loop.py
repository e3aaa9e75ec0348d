"""What the search loop and the training loop have in common: epochs, stopping, checkpoints.

The state of a loop is a dictionary in forms that `torch.load(weights_only=True)` reads; an epoch
may be left and entered between any two of its steps.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from nas.errors import CheckpointError, TrainingError
from nas.runtime.checkpoint import list_checkpoints, load_newest, save_checkpoint
from nas.runtime.compute import Batch, Compute
from nas.runtime.device import peak_memory_mib
from nas.runtime.metrics import Meter
from nas.runtime.run_directory import RunDirectory
from nas.runtime.signals import StopFlag, Stopped

EpochCallback = Callable[[dict[str, Any]], None]


class EpochLoop:
    """Runs epochs of steps, from wherever its state stands.

    A subclass says what an epoch does in `run_epoch`, which calls `step_done` after each step, and
    adds to `state_dict` and `load_state_dict`.
    """

    def __init__(
        self,
        epochs: int,
        train_loader: Any,
        run: RunDirectory,
        compute: Compute,
        callbacks: Iterable[EpochCallback] = (),
    ):
        """Stand at the beginning.

        Args:
            epochs: To run.
            train_loader: Its length is the number of steps in an epoch; it continues where it was
                left, and has `state_dict` and `load_state_dict` (see `nas.data.TensorLoader`).
            run: Takes metrics.jsonl and the checkpoints.
            compute: The arithmetic; its device is where batches go.
            callbacks: Called with the record of each epoch.
        """
        self.epochs = epochs
        self.train_loader = train_loader
        self.run = run
        self.compute = compute
        self.device = compute.device
        self.callbacks = list(callbacks)
        self.epoch = 0
        self.step_in_epoch = 0
        self.train_meter = Meter(self.device)
        self._before_s = 0.0  # spent on the current epoch by processes that were stopped
        self._started_s = time.perf_counter()
        self._stop = StopFlag()
        self._bar: tqdm | None = None

    def run_epoch(self) -> dict[str, Any]:
        """Run what is left of the current epoch; return its record for metrics.jsonl."""
        raise NotImplementedError

    def describe(self, record: dict[str, Any]) -> str:
        """Write the line that is shown after an epoch."""
        raise NotImplementedError

    def run_epochs(self) -> None:
        """Run to the last epoch.

        Raises:
            Stopped: A signal asked for it; a checkpoint was written.
            TrainingError: The loss is no longer finite.
        """
        num_steps = len(self.train_loader)
        self._started_s = time.perf_counter()
        with (
            self._stop,
            tqdm(
                total=self.epochs * num_steps,
                initial=self.epoch * num_steps + self.step_in_epoch,
                unit="step",
                dynamic_ncols=True,
                smoothing=0.05,
            ) as self._bar,
        ):
            while self.epoch < self.epochs:
                record = self.run_epoch()
                self.run.append("metrics.jsonl", record)
                self.run.append("timing.jsonl", self._timing())
                self.epoch += 1
                self.step_in_epoch = 0
                self._before_s, self._started_s = 0.0, time.perf_counter()
                self.train_meter = Meter(self.device)
                self.save()
                self._bar.write(self.describe(record))
                for callback in self.callbacks:
                    callback(record)
                self.check_stop()

    def train_batches(self) -> Iterator[Batch]:
        """Yield what is left of the epoch's training batches, on the device."""
        num_left = len(self.train_loader) - self.step_in_epoch
        batches = iter(self.train_loader)
        for _ in range(num_left):
            yield self.compute.to_device(next(batches))

    def step_done(self) -> None:
        """Count a step, show it, and stop if a signal asked for it."""
        self.step_in_epoch += 1
        if self._bar is not None:
            self._bar.update()
            if self.step_in_epoch % 10 == 0:
                self._bar.set_postfix(
                    epoch=self.epoch, loss=f"{self.train_meter.loss:.3f}", refresh=False
                )
        self.check_stop()

    def check_finite(self, loss: Tensor | float, what: str) -> None:
        """Raise TrainingError if a loss is not finite; says where, and what is left."""
        value = loss.item() if isinstance(loss, Tensor) else loss
        if math.isfinite(value):
            return
        kept = list_checkpoints(self.run.checkpoints)
        last = f"the last good checkpoint is {kept[0]}" if kept else "there is no checkpoint yet"
        raise TrainingError(
            f"epoch {self.epoch}, step {self.step_in_epoch}: the {what} is {value}; {last}; "
            "try a lower --learning_rate"
        )

    def check_stop(self) -> None:
        """Write a checkpoint and raise Stopped if a signal has arrived."""
        if self._stop.signum is None:
            return
        self.save()
        raise Stopped(
            self._stop.signum,
            f"stopped in epoch {self.epoch} after {self.step_in_epoch} of "
            f"{len(self.train_loader)} steps; continue with --resume --out {self.run.path}",
        )

    def save(self) -> None:
        """Write a checkpoint of everything that decides what comes next."""
        step = self.epoch * len(self.train_loader) + self.step_in_epoch
        save_checkpoint(self.run.checkpoints, step, self.state_dict())

    def resume(self) -> None:
        """Continue from the newest whole checkpoint; metrics after it are cut off.

        A run that was stopped before its first checkpoint starts from the beginning.

        Raises:
            CheckpointError: All checkpoints are damaged, or they are of another network.
        """
        if list_checkpoints(self.run.checkpoints):
            state = load_newest(self.run.checkpoints)
            try:
                self.load_state_dict(state)
            except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as cause:
                raise CheckpointError(
                    f"{self.run.checkpoints}: is not of this run: {str(cause).splitlines()[0]}; "
                    "put the run's own checkpoints back or start another run"
                ) from cause
        self.run.keep_lines("metrics.jsonl", self.epoch)
        self.run.keep_lines("timing.jsonl", self.epoch)

    def _elapsed_s(self) -> float:
        return self._before_s + time.perf_counter() - self._started_s

    def _timing(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "time_s": round(self._elapsed_s(), 3),
            "peak_memory_mib": round(peak_memory_mib(self.device), 1),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the loop itself; a subclass adds its own."""
        return {
            "epoch": self.epoch,
            "step_in_epoch": self.step_in_epoch,
            "train_loader": self.train_loader.state_dict(),
            "train_meter": self.train_meter.state_dict(),
            "elapsed_s": self._elapsed_s(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take on a state that `state_dict` returned."""
        self.epoch = state["epoch"]
        self.step_in_epoch = state["step_in_epoch"]
        self.train_loader.load_state_dict(state["train_loader"])
        self.train_meter.load_state_dict(state["train_meter"])
        self._before_s, self._started_s = state["elapsed_s"], time.perf_counter()
        torch.set_rng_state(state["rng"])
        if state["cuda_rng"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda_rng"])


def cosine(start: float, end: float, progress: float) -> float:
    """Return end + (start - end) * (1 + cos(pi * progress)) / 2; `progress` is in [0, 1]."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
