"""What the search loop and the training loop share: epochs, stopping, checkpoints.

A loop can be stopped and resumed between any two steps. Its state is a dictionary that
`torch.load(weights_only=True)` reads.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from tqdm import tqdm

from nas.config import RunConfig
from nas.distributed.ranks import ALONE, Ranks
from nas.errors import CheckpointError, DataError, NasError, TrainingError, shown
from nas.runtime.checkpoint import list_checkpoints, parse_checkpoint, read_newest
from nas.runtime.compute import Batch, Compute
from nas.runtime.finite import FiniteGuard
from nas.runtime.memory import peak_memory_mib
from nas.runtime.meter import Meter
from nas.runtime.rng import generator_states, set_generator_states
from nas.runtime.run_directory import RunDirectory
from nas.signals import StopFlag, Stopped

EpochCallback = Callable[[dict[str, Any]], None]


class ResumableLoader(Protocol):
    """Batches of one epoch after another; a pass that was left early is continued by the next.

    A loader decides the device and the memory format of its batches; nothing else moves them.
    """

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rest of the current epoch."""

    def state_dict(self) -> dict[str, Any]:
        """Return the position, in forms that `torch.load(weights_only=True)` reads."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a position that `state_dict` returned."""


class EpochLoop:
    """Runs epochs of steps, starting from its current state.

    A subclass implements `run_epoch`, which calls `step_done` after each step, and extends
    `state_dict` and `load_state_dict`.
    """

    def __init__(
        self,
        *,
        config: RunConfig,
        epochs: int,
        train_loader: ResumableLoader,
        run: RunDirectory,
        compute: Compute,
        callbacks: Iterable[EpochCallback] = (),
        ranks: Ranks = ALONE,
    ):
        """Start at the first step of the first epoch.

        Args:
            config: When to write checkpoints, and what to do if a number is not finite.
            epochs: Number of epochs to run.
            train_loader: Its length is the number of steps in an epoch.
            run: Receives metrics.jsonl, timing.jsonl and the checkpoints.
            compute: The arithmetic; its device is that of the batches.
            callbacks: Called with the record of each epoch.
            ranks: The processes that run this loop together, each on its share of every batch.
        """
        self.config = config
        self.epochs = epochs
        self.train_loader = train_loader
        self.run = run
        self.compute = compute
        self.device = compute.device
        self.callbacks = list(callbacks)
        self.ranks = ranks
        self.guard = FiniteGuard(config.non_finite, self.device, self.place, self._training_error)
        self.epoch = 0
        self.step_in_epoch = 0
        self.train_meter = self.new_meter()
        self._steps_unsaved = 0
        self._saved_s = time.perf_counter()
        self._before_s = 0.0  # time that stopped processes spent on the current epoch
        self._data_wait_s = 0.0  # time that the steps of this epoch waited for their batches
        self._started_s = time.perf_counter()
        self._stop = StopFlag()
        self._bar: tqdm | None = None

    def run_epoch(self) -> dict[str, Any]:
        """Run the rest of the current epoch; return its record for metrics.jsonl."""
        raise NotImplementedError

    def describe(self, record: dict[str, Any]) -> str:
        """Return the line that is shown after an epoch."""
        raise NotImplementedError

    def new_meter(self) -> Meter:
        """Return an empty meter for the training steps of an epoch."""
        return Meter(self.device)

    @property
    def iteration(self) -> int:
        """Steps since the start of the run."""
        return self.epoch * len(self.train_loader) + self.step_in_epoch

    def place(self) -> str:
        """Say where the run is, for error messages."""
        return f"epoch {self.epoch}, step {self.step_in_epoch}"

    def describe_progress(self) -> str:
        """Say how far the run is, for the message after a signal."""
        return f"in epoch {self.epoch} after {self.step_in_epoch} of {len(self.train_loader)} steps"

    def is_finished(self) -> bool:
        """Whether no epoch is left."""
        return self.epoch >= self.epochs

    def run_epochs(self) -> None:
        """Run to the last epoch.

        Raises:
            Stopped: A signal asked the run to stop; a checkpoint was written.
            TrainingError: A loss or a gradient is not finite.
            DataError: A process that decodes images was killed.
        """
        num_steps = len(self.train_loader)
        self._started_s = time.perf_counter()
        with (
            explained_worker_failures(),
            self._stop,
            tqdm(
                total=self.epochs * num_steps,
                initial=self.iteration,
                unit="step",
                dynamic_ncols=True,
                smoothing=0.05,
                disable=not self.ranks.is_first,
            ) as self._bar,
        ):
            self._saved_s = time.perf_counter()
            while not self.is_finished():
                record = self.run_epoch() | self._skipped()
                self.on_record(record)
                self.run.append("metrics.jsonl", record)
                self.run.append("timing.jsonl", self._timing())
                for callback in self.callbacks:
                    callback(record)
                self.epoch += 1
                self.step_in_epoch = self.guard.num_skipped = 0
                self._before_s, self._started_s = 0.0, time.perf_counter()
                self._data_wait_s = 0.0
                self.train_meter = self.new_meter()
                self.save()
                self._bar.write(self.describe(record))
                self.check_stop()

    def on_record(self, record: dict[str, Any]) -> None:
        """Receive the record of an epoch before it is written."""

    def train_batches(self) -> Iterator[Batch]:
        """Yield the rest of the epoch's training batches."""
        num_left = len(self.train_loader) - self.step_in_epoch
        batches = iter(self.train_loader)
        for _ in range(num_left):
            yield self.next_batch(batches)

    def next_batch(self, batches: Iterator[Batch]) -> Batch:
        """Return the next batch of a step, and count the time spent waiting for it.

        The loader puts batches on the device. On a GPU this is the time until the work is queued,
        not until it is done.
        """
        started_s = time.perf_counter()
        batch = next(batches)
        self._data_wait_s += time.perf_counter() - started_s
        return batch

    def step_done(self) -> None:
        """Count a step, show progress, and stop if a signal asked for it."""
        self.step_in_epoch += 1
        self._steps_unsaved += 1
        if self._bar is not None:
            self._bar.update()
            # What the last step minimized; reading the mean of the epoch would wait for the GPU.
            if self.step_in_epoch % 10 == 0 and "train_loss" in self.guard.numbers:
                loss = self.guard.numbers["train_loss"]
                self._bar.set_postfix(epoch=self.epoch, loss=f"{loss:.3f}", refresh=False)
        self.check_stop()

    def epoch_meter(self) -> Meter:
        """Return the means over the epoch's steps of all ranks.

        Raises:
            TrainingError: All steps were left out.
        """
        meter = self.train_meter.over_ranks(self.ranks)
        self.guard.check_any_step(meter.num_samples, len(self.train_loader))
        return meter

    def mean_over_ranks(self, losses: list[Tensor]) -> Tensor:
        """Return the sum of the micro-batches' shares of a loss, the same on all ranks."""
        value = torch.stack(losses).sum().detach()
        self.ranks.mean_([value])
        return value

    def norms(self) -> dict[str, float]:
        """Return the norms of what is trained, for error messages."""
        return {}

    def _training_error(self, problem: str, advice: str) -> TrainingError:
        norms = "".join(f"; norm of the {name} {norm:g}" for name, norm in self.norms().items())
        kept = list_checkpoints(self.run.checkpoints)
        last = f"the last good checkpoint is {kept[0]}" if kept else "there is no checkpoint yet"
        return TrainingError(f"{problem}{norms}; {last}; {advice}")

    def _skipped(self) -> dict[str, int]:
        """Return what the policy "skip" adds to the record of an epoch."""
        return {"num_non_finite": self.guard.num_skipped} if self.guard.policy == "skip" else {}

    def check_stop(self) -> None:
        """Write a checkpoint if one is due; raise Stopped if any rank received a signal."""
        signum, is_due = self.ranks.largest(self._stop.signum or 0, int(self._is_due()))
        if signum or is_due:
            self.save()
        if signum:
            raise Stopped(
                signum,
                f"stopped {self.describe_progress()}; continue with `resume` `out` {self.run.path}",
            )

    def _is_due(self) -> bool:
        minutes = self.config.checkpoint_minutes
        if minutes is None or self._steps_unsaved == 0:
            return False
        return time.perf_counter() - self._saved_s >= 60 * minutes

    def save(self) -> None:
        """Write a checkpoint of the whole state.

        Raises:
            TrainingError: A number of the last step is not finite.
        """
        self.guard.check_deferred()
        self.run.save_checkpoint(self.iteration, self.state_dict())
        self._steps_unsaved, self._saved_s = 0, time.perf_counter()

    def resume(self) -> None:
        """Continue from the newest intact checkpoint; later metrics are cut off.

        A run that was stopped before its first checkpoint starts from the beginning.

        Raises:
            CheckpointError: All checkpoints are damaged, or they belong to another network.
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
            except Exception as cause:  # loading a foreign state can fail in many ways
                reason = (str(cause) or repr(cause)).splitlines()[0]
                raise CheckpointError(
                    f"{directory}: the checkpoint does not belong to this run: {reason}; restore "
                    "the run's own checkpoints or start another run"
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
        """Return the state of the loop; a subclass adds its own."""
        return {
            "epoch": self.epoch,
            "step_in_epoch": self.step_in_epoch,
            "num_non_finite": self.guard.num_skipped,
            "train_loader": self.train_loader.state_dict(),
            "elapsed_s": self._elapsed_s(),
            "data_wait_s": self._data_wait_s,
            "ranks": self.ranks.gather(
                {"train_meter": self.train_meter.state_dict(), "generators": generator_states()}
            ),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned.

        Raises:
            CheckpointError: The run had another number of processes.
        """
        if len(state["ranks"]) != self.ranks.size:
            raise CheckpointError(
                f"{self.run.checkpoints}: the run was started with {len(state['ranks'])} "
                f"processes, found {self.ranks.size}; resume it with the same number of processes"
            )
        counts = [state[key] for key in ("epoch", "step_in_epoch", "num_non_finite")]
        if not all(type(count) is int and 0 <= count < 1 << 32 for count in counts):
            raise ValueError(f"epoch, step and skipped steps are {shown(counts)}")
        self.epoch, self.step_in_epoch, self.guard.num_skipped = counts
        self.train_loader.load_state_dict(state["train_loader"])
        self._before_s, self._started_s = state["elapsed_s"], time.perf_counter()
        self._data_wait_s = state.get("data_wait_s", 0.0)  # older runs did not count it
        own = state["ranks"][self.ranks.rank]
        self.train_meter.load_state_dict(own["train_meter"])
        set_generator_states(own["generators"])


@contextmanager
def explained_worker_failures() -> Iterator[None]:
    """Turn the death of a worker of a DataLoader into one clear error.

    torch notices it in a signal handler, so the error can come from any line.
    """
    try:
        yield
    except RuntimeError as cause:
        if "DataLoader worker" not in str(cause):
            raise
        raise DataError(
            "workers: a process that decodes images was killed, most often because memory ran out; "
            "free memory or lower `workers`, and continue from the last checkpoint with `resume`"
        ) from cause


def norm_of(module: nn.Module) -> float:
    """Return the norm of all parameters of a module."""
    return get_total_norm([parameter.detach() for parameter in module.parameters()]).item()


def cosine(start: float, end: float, progress: float) -> float:
    """Return end + (start - end) * (1 + cos(pi * progress)) / 2; `progress` is in [0, 1]."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
