"""The search loop: an alpha step, then a weight step, epoch after epoch.

Source: DARTS (arXiv:1806.09055), Alg. 1, Sec. 3.1 and its code.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, get_total_norm

from nas.config import SearchConfig
from nas.distributed.ranks import ALONE, Ranks
from nas.genotype import Genotype
from nas.runtime.compute import Batch, Compute
from nas.runtime.loop import EpochCallback, EpochLoop, cosine, norm_of
from nas.runtime.meter import Meter
from nas.runtime.run_directory import RunDirectory
from nas.search.architect import Architect
from nas.search.decode import decode
from nas.search.epoch_record import describe_epoch
from nas.space import SearchSpace
from nas.supernet import Alphas, Supernet

Loss = Callable[[Tensor, Tensor], Tensor]


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


class Searcher(EpochLoop):
    """Runs the recipe of DARTS on parts that are given to it.

    Each step takes a fresh validation batch for alpha and then a training batch for w. The
    learning rate follows a cosine by epoch. After each epoch the record of `describe_epoch` goes
    to metrics.jsonl and to the callbacks, and a checkpoint is written.
    """

    config: SearchConfig

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
        compute: Compute | None = None,
        ranks: Ranks = ALONE,
    ):
        """Build the optimisers: SGD for the weights of `net`, Adam for `alphas`, nothing shared.

        `compute` is None for fp32 where `net` lies; `ranks` are the processes that search together.
        """
        compute = compute or Compute(next(net.parameters()).device)
        super().__init__(
            config=config,
            epochs=config.epochs,
            train_loader=data.train_loader,
            run=run,
            compute=compute,
            callbacks=callbacks,
            ranks=ranks,
        )
        self.space = space
        self.net = net
        self.alphas = alphas
        self.loss = loss
        self.data = data
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
        self.weight_scaler, self.alpha_scaler = compute.scaler(), compute.scaler()
        self.architect = Architect(
            net,
            alphas,
            loss,
            self.weight_optimizer,
            order=config.order,
            xi=config.xi,
            epsilon=config.epsilon,
            compute=compute,
            scaler=self.alpha_scaler,
            ranks=ranks,
        )
        ranks.broadcast_(alphas.parameters())
        images = torch.zeros((2, *data.image_shape), device=self.device)
        self._parallel_net = ranks.parallel(net, images, alphas.weights())

    def search(self) -> Genotype:
        """Run to the last epoch from wherever the state stands, and return the genotype.

        Raises:
            Stopped: A signal asked for it; a checkpoint was written.
            TrainingError: The loss is no longer finite.
        """
        self.run_epochs()
        return decode(self.alphas, self.space)

    def run_epoch(self) -> dict[str, Any]:
        """Run what is left of an epoch, then measure; return its record."""
        self._train()
        trained, measured = self.epoch_meter(), self._measure()
        self.guard.check_measured(measured.loss, "validation")
        self.ranks.check_equal(self.alphas.parameters(), "the alphas")
        return {
            "epoch": self.epoch,
            "learning_rate": self._learning_rate(),
            "train_loss": trained.loss,
            "train_accuracy": trained.accuracy,
            "val_loss": measured.loss,
            "val_accuracy": measured.accuracy,
            **describe_epoch(self.alphas, self.space, self.data.image_shape, self.data.num_classes),
        }

    def describe(self, record: dict[str, Any]) -> str:
        """Write the line that is shown after an epoch."""
        return (
            f"epoch {record['epoch'] + 1}/{self.epochs}  "
            f"train {record['train_loss']:.4f} {record['train_accuracy']:.2f} %  "
            f"val {record['val_loss']:.4f} {record['val_accuracy']:.2f} %  "
            f"entropy {record['entropy']['normal']:.3f} {record['entropy']['reduce']:.3f}  "
            f"skips {record['num_skips']['normal']} {record['num_skips']['reduce']}  "
            f"{record['num_parameters'] / 1e6:.2f} M parameters"
        )

    def _train(self) -> None:
        for group in self.weight_optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self.net.train()
        val_batches = _endless(self.data.val_loader)
        for train_batch in self.train_batches():
            self._alpha_step(self.next_batch(val_batches), train_batch)
            self._weight_step(train_batch)
            self.step_done()

    def _learning_rate(self) -> float:
        config = self.config
        progress = self.epoch / self.epochs
        return config.learning_rate_scale * cosine(
            config.learning_rate, config.learning_rate_min, progress
        )

    def _alpha_step(self, val_batch: Batch, train_batch: Batch) -> None:
        val_loss = self.architect.step(val_batch, train_batch)
        found = {"val_loss": val_loss}
        if not self.alpha_scaler.is_enabled():  # which itself leaves out such gradients
            gradients = [alpha.grad for alpha in self.alphas.parameters()]
            found["gradient_norm"] = get_total_norm(gradients)
        if self.guard.expect_finite("alpha step", **found):
            self.alpha_scaler.step(self.alpha_optimizer)
            self.alpha_scaler.update()
        self.alpha_optimizer.zero_grad()

    def _weight_step(self, train_batch: Batch) -> None:
        arch_weights = tuple(weights.detach() for weights in self.alphas.weights())
        restore_buffers = self.guard.remember_buffers(self.net)
        self.weight_optimizer.zero_grad()
        passes, shares = [], []
        for (images, targets), share in self.compute.split(train_batch):
            with self.compute.autocast():
                logits = self._parallel_net(images, arch_weights)
                loss = self.loss(logits, targets)
            self.weight_scaler.scale(share * loss).backward()
            passes.append((loss.detach(), logits.detach(), targets))
            shares.append(share * loss.detach())
        self.weight_scaler.unscale_(self.weight_optimizer)
        found = {"train_loss": self.mean_over_ranks(shares)}
        norm = clip_grad_norm_(self.net.parameters(), self.config.grad_clip)
        if not self.weight_scaler.is_enabled():
            found["gradient_norm"] = norm
        if self.guard.check_finite("weight step", **found):
            self.weight_scaler.step(self.weight_optimizer)
            for one in passes:
                self.train_meter.update(*one)
        else:
            restore_buffers()
        self.weight_scaler.update()

    def norms(self) -> dict[str, float]:
        """Return the norms of weights and alphas."""
        return {"weights": norm_of(self.net), "alphas": norm_of(self.alphas)}

    @torch.no_grad()
    def _measure(self) -> Meter:
        """Measure on the half that updates alpha, with running statistics, as the reference.

        Those of the first rank, where there are several.
        """
        self.ranks.broadcast_(self.net.buffers())
        self.net.eval()
        meter = Meter(self.device)
        arch_weights = self.alphas.weights()
        for batch in self.data.measure_loader(self.epoch):
            images, targets = self.compute.to_device(batch)
            if len(targets):
                with self.compute.autocast():
                    logits = self.net(images, arch_weights)
                    loss = self.loss(logits, targets)
                meter.update(loss, logits, targets)
            self.check_stop()
        return meter.over_ranks(self.ranks)

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state in forms that `torch.load(weights_only=True)` reads."""
        return super().state_dict() | {
            "net": self.net.state_dict(),
            "alphas": self.alphas.state_dict(),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "alpha_optimizer": self.alpha_optimizer.state_dict(),
            "weight_scaler": self.weight_scaler.state_dict(),
            "alpha_scaler": self.alpha_scaler.state_dict(),
            "val_loader": self.data.val_loader.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take on a state that `state_dict` returned."""
        super().load_state_dict(state)
        self.net.load_state_dict(state["net"])
        self.alphas.load_state_dict(state["alphas"])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        self.alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        self.weight_scaler.load_state_dict(state["weight_scaler"])
        self.alpha_scaler.load_state_dict(state["alpha_scaler"])
        self.data.val_loader.load_state_dict(state["val_loader"])


def _endless(loader: Iterable[Batch]) -> Iterator[Batch]:
    """Go through a loader again and again: one pass is one epoch of it."""
    while True:
        yield from loader
