"""The search loop: an alpha step, then a weight step, epoch after epoch.

Source: DARTS (arXiv:1806.09055), Alg. 1, Sec. 3.1 and its code.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from nas.config import SearchConfig
from nas.errors import TrainingError
from nas.genotype import Genotype
from nas.runtime.checkpoint import list_checkpoints, load_newest, save_checkpoint
from nas.runtime.metrics import Meter
from nas.runtime.run_directory import RunDirectory
from nas.runtime.signals import StopFlag, Stopped
from nas.search.architect import Architect, Batch
from nas.search.decode import decode
from nas.search.statistics import describe_epoch
from nas.space import SearchSpace
from nas.supernet import Alphas, Supernet

Loss = Callable[[Tensor, Tensor], Tensor]
EpochCallback = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class SearchData:
    """The two halves of the training set; a search never sees anything else.

    The loaders continue where they were left (see `nas.data.TensorLoader`) and have `len`,
    `state_dict` and `load_state_dict`.
    """

    train_loader: Any
    """Updates w."""
    val_loader: Any
    """Updates alpha."""
    measure_loader: Callable[[int], Iterable[Batch]]
    """For an epoch, one pass over the half that updates alpha, to measure on."""
    image_shape: tuple[int, int, int]
    """(C, H, W)."""
    num_classes: int
    num_images: tuple[int, int]
    """For w and for alpha."""


class Searcher:
    """Runs the recipe of DARTS on parts that are given to it.

    Each step takes a fresh validation batch for alpha and then a training batch for w. The
    learning rate follows a cosine by epoch. After each epoch the record of `describe_epoch` goes
    to metrics.jsonl and to the callbacks, and a checkpoint is written.
    """

    def __init__(
        self,
        config: SearchConfig,
        space: SearchSpace,
        net: Supernet,
        alphas: Alphas,
        loss: Loss,
        data: SearchData,
        run: RunDirectory,
        callbacks: Iterable[EpochCallback] = (),
    ):
        """Build the optimisers: SGD for the weights of `net`, Adam for `alphas`, nothing shared."""
        self.config = config
        self.space = space
        self.net = net
        self.alphas = alphas
        self.loss = loss
        self.data = data
        self.run = run
        self.callbacks = list(callbacks)
        self.device = next(net.parameters()).device
        self.weight_optimizer = torch.optim.SGD(
            net.parameters(),
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        )
        self.alpha_optimizer = torch.optim.Adam(
            alphas.parameters(),
            lr=config.alpha_learning_rate,
            betas=config.alpha_betas,
            weight_decay=config.alpha_weight_decay,
        )
        self.architect = Architect(
            net,
            alphas,
            loss,
            self.weight_optimizer,
            order=config.architect,
            xi=config.xi,
            epsilon=config.epsilon,
        )
        self.epoch = 0
        self.step_in_epoch = 0
        self.train_meter = Meter(self.device)

    def search(self) -> Genotype:
        """Run to the last epoch from wherever the state stands, and return the genotype.

        Raises:
            Stopped: A signal asked for it; a checkpoint was written.
            TrainingError: The loss is no longer finite.
        """
        num_steps = len(self.data.train_loader)
        with (
            StopFlag() as stop,
            tqdm(
                total=self.config.epochs * num_steps,
                initial=self.epoch * num_steps + self.step_in_epoch,
                unit="step",
                dynamic_ncols=True,
                smoothing=0.05,
            ) as bar,
        ):
            while self.epoch < self.config.epochs:
                self._train_epoch(stop, bar)
                val_meter = self._measure(stop)
                record = self._finish_epoch(val_meter)
                bar.write(_summary(record, self.config.epochs))
                for callback in self.callbacks:
                    callback(record)
                self._check_stop(stop)
        return decode(self.alphas, self.space)

    def _train_epoch(self, stop: StopFlag, bar: tqdm) -> None:
        self._set_learning_rate()
        self.net.train()
        val_batches = _endless(self.data.val_loader)
        num_left = len(self.data.train_loader) - self.step_in_epoch
        for train_batch in itertools.islice(self.data.train_loader, num_left):
            train_batch = self._to_device(train_batch)
            val_batch = self._to_device(next(val_batches))
            self._alpha_step(val_batch, train_batch)
            self._weight_step(train_batch)
            self.step_in_epoch += 1
            bar.update()
            if self.step_in_epoch % 10 == 0:
                bar.set_postfix(
                    epoch=self.epoch, loss=f"{self.train_meter.loss:.3f}", refresh=False
                )
            self._check_stop(stop)

    def _alpha_step(self, val_batch: Batch, train_batch: Batch) -> None:
        val_loss = self.architect.step(val_batch, train_batch)
        self._check_finite(val_loss, "validation loss of the alpha step")
        self.alpha_optimizer.step()
        self.alpha_optimizer.zero_grad()

    def _weight_step(self, train_batch: Batch) -> None:
        images, targets = train_batch
        arch_weights = tuple(weights.detach() for weights in self.alphas.weights())
        logits = self.net(images, arch_weights)
        loss = self.loss(logits, targets)
        self._check_finite(loss, "training loss")
        self.weight_optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(self.net.parameters(), self.config.grad_clip)
        self.weight_optimizer.step()
        self.train_meter.update(loss, logits, targets)

    @torch.no_grad()
    def _measure(self, stop: StopFlag) -> Meter:
        """Measure on the half that updates alpha, with running statistics, as the reference."""
        self.net.eval()
        meter = Meter(self.device)
        arch_weights = self.alphas.weights()
        for batch in self.data.measure_loader(self.epoch):
            images, targets = self._to_device(batch)
            logits = self.net(images, arch_weights)
            meter.update(self.loss(logits, targets), logits, targets)
            self._check_stop(stop)
        return meter

    def _finish_epoch(self, val_meter: Meter) -> dict[str, Any]:
        record = {
            "epoch": self.epoch,
            "learning_rate": self._learning_rate(),
            "train_loss": self.train_meter.loss,
            "train_accuracy": self.train_meter.accuracy,
            "val_loss": val_meter.loss,
            "val_accuracy": val_meter.accuracy,
            **describe_epoch(self.alphas, self.space, self.data.image_shape, self.data.num_classes),
        }
        self.run.append("metrics.jsonl", record)
        self.epoch += 1
        self.step_in_epoch = 0
        self.train_meter = Meter(self.device)
        self.save()
        return record

    def _learning_rate(self) -> float:
        """Return lr_min + (lr - lr_min) * (1 + cos(pi * epoch / epochs)) / 2."""
        low, high = self.config.learning_rate_min, self.config.learning_rate
        return low + (high - low) * (1 + math.cos(math.pi * self.epoch / self.config.epochs)) / 2

    def _set_learning_rate(self) -> None:
        for group in self.weight_optimizer.param_groups:
            group["lr"] = self._learning_rate()

    def _to_device(self, batch: Batch) -> Batch:
        images, targets = batch
        return images.to(self.device, non_blocking=True), targets.to(self.device)

    def _check_finite(self, loss: Tensor, what: str) -> None:
        if not torch.isfinite(loss):
            raise TrainingError(
                f"epoch {self.epoch}, step {self.step_in_epoch}: the {what} is {loss.item()}; "
                f"the checkpoints in {self.run.checkpoints} are from before; try a lower "
                "--learning_rate"
            )

    def _check_stop(self, stop: StopFlag) -> None:
        if stop.signum is None:
            return
        self.save()
        raise Stopped(
            stop.signum,
            f"stopped in epoch {self.epoch} after {self.step_in_epoch} of "
            f"{len(self.data.train_loader)} steps; continue with --resume --out {self.run.path}",
        )

    def save(self) -> None:
        """Write a checkpoint of everything that decides what comes next."""
        step = self.epoch * len(self.data.train_loader) + self.step_in_epoch
        save_checkpoint(self.run.checkpoints, step, self.state_dict())

    def resume(self) -> None:
        """Continue from the newest whole checkpoint; metrics after it are cut off.

        A run that was stopped before its first checkpoint starts from the beginning.

        Raises:
            CheckpointError: All checkpoints are damaged.
        """
        if list_checkpoints(self.run.checkpoints):
            self.load_state_dict(load_newest(self.run.checkpoints))
        self.run.keep_lines("metrics.jsonl", self.epoch)
        self.run.keep_lines("timing.jsonl", self.epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state in forms that `torch.load(weights_only=True)` reads."""
        return {
            "epoch": self.epoch,
            "step_in_epoch": self.step_in_epoch,
            "net": self.net.state_dict(),
            "alphas": self.alphas.state_dict(),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "alpha_optimizer": self.alpha_optimizer.state_dict(),
            "train_loader": self.data.train_loader.state_dict(),
            "val_loader": self.data.val_loader.state_dict(),
            "train_meter": self.train_meter.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take on a state that `state_dict` returned."""
        self.epoch = state["epoch"]
        self.step_in_epoch = state["step_in_epoch"]
        self.net.load_state_dict(state["net"])
        self.alphas.load_state_dict(state["alphas"])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        self.alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        self.data.train_loader.load_state_dict(state["train_loader"])
        self.data.val_loader.load_state_dict(state["val_loader"])
        self.train_meter.load_state_dict(state["train_meter"])
        torch.set_rng_state(state["rng"])
        if state["cuda_rng"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda_rng"])


def _endless(loader: Iterable[Batch]) -> Iterator[Batch]:
    """Go through a loader again and again: one pass is one epoch of it."""
    while True:
        yield from loader


def _summary(record: dict[str, Any], epochs: int) -> str:
    return (
        f"epoch {record['epoch'] + 1}/{epochs}  "
        f"train {record['train_loss']:.4f} {record['train_accuracy']:.2f} %  "
        f"val {record['val_loss']:.4f} {record['val_accuracy']:.2f} %  "
        f"entropy {record['entropy']['normal']:.3f} {record['entropy']['reduce']:.3f}  "
        f"skips {record['num_skips']['normal']} {record['num_skips']['reduce']}  "
        f"{record['num_parameters'] / 1e6:.2f} M parameters"
    )
