"""What the search loop and the training loop have in common: epochs, stopping, checkpoints.

The state of a loop is a dictionary in forms that `torch.load(weights_only=True)` reads; an epoch
may be left and entered between any two of its steps.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from tqdm import tqdm

from nas.config import RunConfig
from nas.distributed.ranks import ALONE, Ranks
from nas.errors import CheckpointError, NasError, TrainingError, shown
from nas.runtime.checkpoint import list_checkpoints, parse_checkpoint, read_newest
from nas.runtime.compute import Batch, Compute
from nas.runtime.device import peak_memory_mib
from nas.runtime.meter import Meter
from nas.runtime.rng import generator_states, set_generator_states
from nas.runtime.run_directory import RunDirectory
from nas.signals import StopFlag, Stopped

EpochCallback = Callable[[dict[str, Any]], None]


class EpochLoop:
    """Runs epochs of steps, from wherever its state stands.

    A subclass says what an epoch does in `run_epoch`, which calls `step_done` after each step, and
    adds to `state_dict` and `load_state_dict`.
    """

    def __init__(
        self,
        settings: RunConfig,
        epochs: int,
        train_loader: Any,
        run: RunDirectory,
        compute: Compute,
        callbacks: Iterable[EpochCallback] = (),
        ranks: Ranks = ALONE,
    ):
        """Stand at the beginning.

        Args:
            settings: When to write checkpoints, and what to do with numbers that go wrong.
            epochs: To run.
            train_loader: Its length is the number of steps in an epoch; it continues where it was
                left, and has `state_dict` and `load_state_dict` (see `nas.data.TensorLoader`).
            run: Takes metrics.jsonl and the checkpoints.
            compute: The arithmetic; its device is where batches go.
            callbacks: Called with the record of each epoch.
            ranks: The processes that run the same loop, each on its share of every batch.
        """
        self.settings = settings
        self.epochs = epochs
        self.train_loader = train_loader
        self.run = run
        self.compute = compute
        self.device = compute.device
        self.callbacks = list(callbacks)
        self.ranks = ranks
        self.epoch = 0
        self.step_in_epoch = 0
        self.num_non_finite = 0  # steps of this epoch that were left out
        self._expected: tuple[str, dict[str, Any]] | None = None  # see expect_finite
        self._steps_unsaved = 0
        self._saved_s = time.perf_counter()
        self.train_meter = Meter(self.device)
        self._before_s = 0.0  # spent on the current epoch by processes that were stopped
        self._data_wait_s = 0.0  # of this epoch's steps, for their batches
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
                disable=not self.ranks.is_first,
            ) as self._bar,
        ):
            self._saved_s = time.perf_counter()
            while self.epoch < self.epochs:
                record = self.run_epoch() | self._skipped()
                self.run.append("metrics.jsonl", record)
                self.run.append("timing.jsonl", self._timing())
                for callback in self.callbacks:
                    callback(record)
                self.epoch += 1
                self.step_in_epoch = self.num_non_finite = 0
                self._before_s, self._started_s = 0.0, time.perf_counter()
                self._data_wait_s = 0.0
                self.train_meter = Meter(self.device)
                self.save()
                self._bar.write(self.describe(record))
                self.check_stop()

    def train_batches(self) -> Iterator[Batch]:
        """Yield what is left of the epoch's training batches, on the device."""
        num_left = len(self.train_loader) - self.step_in_epoch
        batches = iter(self.train_loader)
        for _ in range(num_left):
            yield self.next_batch(batches)

    def next_batch(self, batches: Iterator[Batch]) -> Batch:
        """Return the next batch of a step, on the device; counts how long that takes.

        On a GPU it is the time until the work is handed over, not until it is done.
        """
        started_s = time.perf_counter()
        batch = self.compute.to_device(next(batches))
        self._data_wait_s += time.perf_counter() - started_s
        return batch

    def step_done(self) -> None:
        """Count a step, show it, and stop if a signal asked for it."""
        self.step_in_epoch += 1
        self._steps_unsaved += 1
        if self._bar is not None:
            self._bar.update()
            if self.step_in_epoch % 10 == 0:
                self._bar.set_postfix(
                    epoch=self.epoch, loss=f"{self.train_meter.loss:.3f}", refresh=False
                )
        self.check_stop()

    def epoch_meter(self) -> Meter:
        """Return the means over the epoch's steps of all ranks.

        Raises:
            TrainingError: There was none that --non_finite skip did not leave out.
        """
        meter = self.train_meter.over_ranks(self.ranks)
        if meter.num_samples == 0:
            raise TrainingError(
                f"epoch {self.epoch}: none of its {len(self.train_loader)} steps had a finite loss "
                f"and gradient; {self._last_good()}; try a lower --learning_rate"
            )
        return meter

    def expect_finite(self, what: str, **values: Tensor | float) -> bool:
        """Check numbers together with those of the next `check_finite`, if an error will be raised.

        The result of a check is waited for, so that a GPU has nothing to do meanwhile: where
        numbers that are not finite stop the run, which saves nothing before the next check, one
        wait for both is enough. The arguments and the result are those of `check_finite`.
        """
        if self.settings.non_finite == "skip" or self.device.type == "cpu":
            return self.check_finite(what, **values)
        self._expected = (what, values)
        return True

    def check_finite(self, what: str, **values: Tensor | float) -> bool:
        """Whether numbers that are the same on all ranks are finite, so that a step may be taken.

        Args:
            what: Which step, or which measurement.
            values: By name, such as its loss and the norm of its gradient.

        Returns:
            False where they are not and --non_finite skip leaves the step out.

        Raises:
            TrainingError: They are not; says where, the values and norms, and what is left.
        """
        numbers = torch.stack([torch.as_tensor(value) for value in values.values()])
        before, self._expected = self._expected, None
        everything = [numbers.isfinite().all()]
        if before is not None:
            everything += [torch.as_tensor(value).isfinite() for value in before[1].values()]
        if torch.stack(everything).all():
            return True
        if before is not None:
            self.check_finite(before[0], **before[1])  # raises where the fault began
        if self.settings.non_finite == "skip":
            self.num_non_finite += 1
            return False
        found = ", ".join(
            f"{name} {value:g}" for name, value in zip(values, numbers.tolist(), strict=True)
        )
        norms = ", ".join(f"norm of the {name} {norm:g}" for name, norm in self.norms().items())
        raise TrainingError(
            f"epoch {self.epoch}, step {self.step_in_epoch}: {what}: not finite: {found}; {norms}; "
            f"{self._last_good()}; try a lower --learning_rate, or --non_finite skip"
        )

    def mean_over_ranks(self, losses: list[Tensor]) -> Tensor:
        """Return the sum of the micro-batches' shares of a loss, the same on all ranks."""
        value = torch.stack(losses).sum().detach()
        self.ranks.mean_([value])
        return value

    def remember_buffers(self, net: nn.Module) -> Callable[[], None]:
        """Return what puts running statistics back, should the step that begins be left out."""
        if self.settings.non_finite == "stop":
            return lambda: None
        saved = [(buffer, buffer.clone()) for buffer in net.buffers()]

        def restore() -> None:
            for buffer, value in saved:
                buffer.copy_(value)

        return restore

    def check_measured(self, loss: float, split: str) -> None:
        """Raise TrainingError if the loss of a measurement is not finite."""
        if not math.isfinite(loss):
            raise TrainingError(
                f"epoch {self.epoch}, step {self.step_in_epoch}: the {split} loss is {loss}; "
                f"{self._last_good()}; try a lower --learning_rate"
            )

    def norms(self) -> dict[str, float]:
        """Return the norms of what is trained, for messages."""
        return {}

    def _last_good(self) -> str:
        kept = list_checkpoints(self.run.checkpoints)
        return f"the last good checkpoint is {kept[0]}" if kept else "there is no checkpoint yet"

    def _skipped(self) -> dict[str, int]:
        """Return what --non_finite skip adds to the record of an epoch."""
        return {"num_non_finite": self.num_non_finite} if self.settings.non_finite == "skip" else {}

    def check_stop(self) -> None:
        """Write a checkpoint if one is due; raise Stopped if a signal has arrived at any rank."""
        signum, is_due = self.ranks.largest(self._stop.signum or 0, int(self._is_due()))
        if signum or is_due:
            self.save()
        if signum:
            raise Stopped(
                signum,
                f"stopped in epoch {self.epoch} after {self.step_in_epoch} of "
                f"{len(self.train_loader)} steps; continue with --resume --out {self.run.path}",
            )

    def _is_due(self) -> bool:
        minutes, steps = self.settings.checkpoint_minutes, self.settings.checkpoint_steps
        late = minutes is not None and time.perf_counter() - self._saved_s >= 60 * minutes
        return late or (steps is not None and self._steps_unsaved >= steps)

    def save(self) -> None:
        """Write a checkpoint of everything that decides what comes next."""
        step = self.epoch * len(self.train_loader) + self.step_in_epoch
        self.run.save_checkpoint(step, self.state_dict(), self.settings.keep_checkpoints)
        self._steps_unsaved, self._saved_s = 0, time.perf_counter()

    def resume(self) -> None:
        """Continue from the newest whole checkpoint; metrics after it are cut off.

        A run that was stopped before its first checkpoint starts from the beginning.

        Raises:
            CheckpointError: All checkpoints are damaged, or they are of another network.
        """
        directory = self.run.checkpoints
        payload = self.ranks.bytes_from_first(
            lambda: read_newest(directory)[0] if list_checkpoints(directory) else b""
        )
        if payload:
            state = parse_checkpoint(payload, str(directory))
            try:
                self.load_state_dict(state)
            except NasError:
                raise
            except Exception as cause:  # whatever a state that is not of this run leads to
                reason = (str(cause) or repr(cause)).splitlines()[0]
                raise CheckpointError(
                    f"{directory}: is not of this run: {reason}; put the run's own "
                    "checkpoints back or start another run"
                ) from cause
        self.run.keep_lines("metrics.jsonl", self.epoch)
        self.run.keep_lines("timing.jsonl", self.epoch)

    def _elapsed_s(self) -> float:
        return self._before_s + time.perf_counter() - self._started_s

    def _timing(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "time_s": round(self._elapsed_s(), 3),
            "data_wait_s": round(self._data_wait_s, 3),
            "peak_memory_mib": round(peak_memory_mib(self.device), 1),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the loop itself; a subclass adds its own."""
        return {
            "epoch": self.epoch,
            "step_in_epoch": self.step_in_epoch,
            "num_non_finite": self.num_non_finite,
            "train_loader": self.train_loader.state_dict(),
            "elapsed_s": self._elapsed_s(),
            "data_wait_s": self._data_wait_s,
            "ranks": self.ranks.gather(
                {"train_meter": self.train_meter.state_dict(), "generators": generator_states()}
            ),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take on a state that `state_dict` returned.

        Raises:
            CheckpointError: It is of a run with another number of processes.
        """
        if len(state["ranks"]) != self.ranks.size:
            raise CheckpointError(
                f"{self.run.checkpoints}: of a run of {len(state['ranks'])} processes, found "
                f"{self.ranks.size}; resume with the number that it was started with"
            )
        counts = [state[key] for key in ("epoch", "step_in_epoch", "num_non_finite")]
        if not all(type(count) is int and 0 <= count < 1 << 32 for count in counts):
            raise ValueError(f"epoch, step and skipped steps are {shown(counts)}")
        self.epoch, self.step_in_epoch, self.num_non_finite = counts
        self.train_loader.load_state_dict(state["train_loader"])
        self._before_s, self._started_s = state["elapsed_s"], time.perf_counter()
        self._data_wait_s = state.get("data_wait_s", 0.0)  # runs of before did not count it
        own = state["ranks"][self.ranks.rank]
        self.train_meter.load_state_dict(own["train_meter"])
        set_generator_states(own["generators"])


def norm_of(module: nn.Module) -> float:
    """Return the norm of all parameters of a module."""
    return get_total_norm([parameter.detach() for parameter in module.parameters()]).item()


def cosine(start: float, end: float, progress: float) -> float:
    """Return end + (start - end) * (1 + cos(pi * progress)) / 2; `progress` is in [0, 1]."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
