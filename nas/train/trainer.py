"""The training loop: one network from scratch, as DARTS trains its cells.

Source: DARTS (arXiv:1806.09055), Sec. 3.1 and its code.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm

from nas.config import AugmentConfig
from nas.data.fingerprint import Fingerprint
from nas.distributed.ranks import ALONE, Ranks
from nas.layers import folded
from nas.records import Evaluation
from nas.runtime.compute import Batch, Compute
from nas.runtime.evaluation import evaluate
from nas.runtime.loop import EpochCallback, EpochLoop, ResumableLoader, norm_of
from nas.runtime.run_directory import RunDirectory
from nas.train.moving_average import MovingAverage
from nas.train.recipe import build_optimizer, drop_path_prob_at, learning_rate_at, num_epochs

Loss = Callable[[Tensor, Tensor], Tensor]
BEST = "best.pt"


@dataclass(frozen=True)
class TrainData:
    """What a network is trained and measured on."""

    train_loader: ResumableLoader
    test_loader: Iterable[Batch]
    """One pass over the test images; only measures."""
    val_loader: Iterable[Batch] | None
    """One pass over held-out training images, which choose the best epoch; None: none are."""
    image_shape: tuple[int, int, int]
    """(C, H, W)."""
    num_classes: int
    num_train: int
    """Training images."""
    num_test: int
    """Test images."""
    num_val: int = 0
    """Held-out images."""
    fingerprint: Fingerprint | None = None
    """What is written to data.json; None: the images come from elsewhere."""
    augmentation: str = ""
    """What is done to training images, in words."""


class Trainer(EpochLoop):
    """Trains a network and measures it.

    Each step: loss(logits) + auxiliary_weight * loss(aux_logits), gradient clipped by its norm,
    SGD. Learning rate and drop path follow their schedules epoch by epoch. The test images never
    choose anything: results are those of the last epoch, and best.pt is written only if images
    are held out for it.
    """

    config: AugmentConfig

    def __init__(
        self,
        net: nn.Module,
        *,
        config: AugmentConfig,
        loss: Loss,
        data: TrainData,
        run: RunDirectory,
        description: dict[str, Any],
        callbacks: Iterable[EpochCallback] = (),
        compute: Compute | None = None,
        ranks: Ranks = ALONE,
    ):
        """Build the optimizer.

        Args:
            net: Returns logits, or (logits, aux_logits) in training; its attribute
                `drop_path_prob` is set before each epoch, unless the setting is None.
            config: The recipe.
            loss: Training loss, a function of logits (N, num_classes) and targets (N,).
            data: The images to train and measure on.
            run: Receives metrics.jsonl and the checkpoints.
            description: Stored in every checkpoint, so that the network can be built again.
            callbacks: Called with the record of each epoch.
            compute: The arithmetic; None is fp32 on the device of `net`.
            ranks: The processes that train together.
        """
        compute = compute or Compute(next(net.parameters()).device)
        super().__init__(
            config=config,
            epochs=num_epochs(config),
            train_loader=data.train_loader,
            run=run,
            compute=compute,
            callbacks=callbacks,
            ranks=ranks,
        )
        self.net = net
        self.loss = loss
        self.data = data
        self.description = description
        self.optimizer = build_optimizer(net, config)
        self.scaler = compute.scaler()
        self.ema = MovingAverage(net, config.ema_decay) if config.ema_decay else None
        example = torch.zeros((2, *data.image_shape), device=self.device)
        self._parallel_net = ranks.parallel(net, example)
        self.best_accuracy = -1.0
        self.images_per_s = 0.0
        self.last_evaluation: Evaluation | None = None

    @property
    def measured_net(self) -> nn.Module:
        """The network that is measured: the moving average if there is one."""
        return self.ema.module if self.ema else self.net

    def train(self) -> Evaluation:
        """Run to the last epoch and return its test results.

        Raises:
            Stopped: A signal asked the run to stop; a checkpoint was written.
            TrainingError: A loss or a gradient is not finite.
        """
        self.run_epochs()
        return self.last_evaluation or self._measure(self.data.test_loader, "test")

    def run_epoch(self) -> dict[str, Any]:
        """Train for the rest of an epoch, then measure; return its record."""
        scale = self.config.learning_rate_scale
        learning_rate = scale * learning_rate_at(self.epoch, self.config)
        drop_path_prob = drop_path_prob_at(self.epoch, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        if drop_path_prob is not None:
            setattr(self.net, "drop_path_prob", drop_path_prob)  # noqa: B010  (a property)
        self.net.train()
        started_s, num_images = time.perf_counter(), 0
        for batch in self.train_batches():
            self.step(batch)
            num_images += len(batch[1])
            self.step_done()
        self.images_per_s = self.ranks.size * num_images / (time.perf_counter() - started_s)
        trained = self.epoch_meter()
        self.ranks.broadcast_(self.measured_net.buffers())
        record = {
            "epoch": self.epoch,
            "learning_rate": learning_rate,
            "train_loss": trained.loss,
            "train_accuracy": trained.accuracy,
        }
        if drop_path_prob is not None:
            record["drop_path_prob"] = drop_path_prob
        if self.data.val_loader is not None:
            evaluation = self._measure(self.data.val_loader, "val")
            record |= _named("val", evaluation)
            self._keep_best(evaluation.top1)
        is_last = self.epoch + 1 == self.epochs
        if is_last or (self.epoch + 1) % self.config.eval_interval == 0:
            self.last_evaluation = self._measure(self.data.test_loader, "test")
            record |= _named("test", self.last_evaluation)
        return record

    def example_batch(self) -> Batch:
        """Return random images in the form of this process's batches."""
        shape = (self.config.batch_size // self.ranks.size, *self.data.image_shape)
        targets = torch.arange(shape[0], device=self.device) % self.data.num_classes
        return self.compute.to_device((torch.randn(shape, device=self.device), targets))

    def step(self, batch: Batch) -> None:
        """Update the weights once.

        Args:
            batch: On the device of the network.
        """
        restore_buffers = self.guard.remember_buffers(self.net)
        self.optimizer.zero_grad()
        passes, shares = [], []
        for (images, targets), share in self.compute.split(batch):
            with self.compute.autocast():
                output = self._parallel_net(images)
                logits, aux_logits = output if isinstance(output, tuple) else (output, None)
                loss = self.loss(logits, targets)
                total = loss
                if aux_logits is not None:
                    total = loss + (self.config.auxiliary_weight or 0) * self.loss(
                        aux_logits, targets
                    )
            self.scaler.scale(share * total).backward()
            passes.append((loss.detach(), logits.detach(), targets))
            shares.append(share * total.detach())
        self.scaler.unscale_(self.optimizer)
        values = {"train_loss": self.mean_over_ranks(shares), "gradient_norm": self._clip()}
        if self.scaler.is_enabled():  # it leaves out such a step itself
            del values["gradient_norm"]
        if not self.guard.check_finite("weight step", **values):
            self.scaler.update()
            restore_buffers()
            return
        for one in passes:
            self.train_meter.update(*one)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.ema:
            self.ema.update_parameters(self.net)

    def _clip(self) -> Tensor:
        """Clip the gradient; return its norm before clipping."""
        parameters = [p for p in self.net.parameters() if p.grad is not None]
        if self.config.grad_clip is None:
            return get_total_norm([p.grad for p in parameters if p.grad is not None])
        return clip_grad_norm_(parameters, self.config.grad_clip)

    def norms(self) -> dict[str, float]:
        """Return the norm of the weights."""
        return {"weights": norm_of(self.net)}

    def describe(self, record: dict[str, Any]) -> str:
        """Return the line that is shown after an epoch."""
        measured = "  ".join(
            f"{split} {record[f'{split}_loss']:.4f} {record[f'{split}_accuracy']:.2f} %"
            for split in ("train", "val", "test")
            if f"{split}_loss" in record
        )
        speed = f"{self.images_per_s:.0f} images/s in training"
        return f"epoch {record['epoch'] + 1}/{self.epochs}  {measured}  {speed}"

    def _measure(self, loader: Iterable[Batch], split: str) -> Evaluation:
        net = self.measured_net
        evaluation = evaluate(
            folded(net) if self.compute.folds_norms else net,
            loader,
            self.data.num_classes,
            compute=self.compute,
            on_batch=self.check_stop,
            ranks=self.ranks,
        )
        self.guard.check_measured(evaluation.loss, split)
        return evaluation

    def _keep_best(self, accuracy: float) -> None:
        if accuracy > self.best_accuracy:
            self.best_accuracy = accuracy
            state = {
                "epoch": self.epoch,
                "description": self.description,
                "measured_net": self.measured_net.state_dict(),
            }
            self.run.write_checkpoint(BEST, state)

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state in forms that `torch.load(weights_only=True)` reads."""
        return super().state_dict() | {
            "description": self.description,
            "net": self.net.state_dict(),
            "ema": self.ema.state_dict() if self.ema else None,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "best_accuracy": self.best_accuracy,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        super().load_state_dict(state)
        self.net.load_state_dict(state["net"])
        if self.ema:
            self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.best_accuracy = state["best_accuracy"]


def _named(split: str, evaluation: Evaluation) -> dict[str, float]:
    return {
        f"{split}_loss": evaluation.loss,
        f"{split}_accuracy": evaluation.top1,
        f"{split}_top5_accuracy": evaluation.top5,
    }
