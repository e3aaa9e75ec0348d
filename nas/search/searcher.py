"""The search loop: the steps that a method orders, epoch after epoch.

Source: DARTS (arXiv:1806.09055), Alg. 1, Sec. 3.1 and its code.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm

from nas.config import SearchConfig
from nas.distributed.ranks import ALONE, Ranks
from nas.runtime.compute import Batch, Compute, scale_of
from nas.runtime.loop import EpochCallback, EpochLoop, cosine, norm_of
from nas.runtime.meter import Meter
from nas.runtime.run_directory import RunDirectory
from nas.search.architect import Architect
from nas.search.data import SearchData, endless
from nas.search.decision import decision_numbers
from nas.search.epoch_record import describe_record, epoch_record
from nas.search.history import History
from nas.search.kind import Found, kind_of
from nas.search.method import Method, Noise, Progress
from nas.search.monitors import Monitor, measure_all
from nas.search.stops import StoppingRule
from nas.search.terms import Term, sum_of
from nas.space import Space
from nas.supernet import Alphas, ArchWeights, EdgeWeights

Loss = Callable[[Tensor, Tensor], Tensor]
_logger = logging.getLogger(__name__)


class Searcher(EpochLoop):
    """Runs a search method on parts that are given to it.

    The method orders the steps: `alpha_step` takes a fresh validation batch, `weight_step` a
    training batch. The learning rate follows a cosine by epoch. After each epoch the record of
    `epoch_record` goes to metrics.jsonl and to the callbacks, and a checkpoint is written.
    """

    config: SearchConfig

    def __init__(
        self,
        *,
        config: SearchConfig,
        space: Space,
        net: nn.Module,
        alphas: Alphas,
        loss: Loss,
        data: SearchData,
        run: RunDirectory,
        method: Method | None = None,
        terms: Sequence[Term] = (),
        monitors: Sequence[Monitor] = (),
        stops: Sequence[StoppingRule] = (),
        callbacks: Iterable[EpochCallback] = (),
        compute: Compute | None = None,
        ranks: Ranks = ALONE,
    ):
        """Build the optimizers: SGD for the weights of `net`, Adam for `alphas`, nothing shared.

        Args:
            config: The settings.
            space: The search space.
            net: The supernet, with the edges that the method builds.
            alphas: With the extra parameters of the method.
            loss: `loss(logits, targets)`, a mean over the batch.
            data: The two halves of the training images.
            run: Takes metrics.jsonl and the checkpoints.
            method: What the search does; None is DARTS.
            terms: Added to the alpha loss, in addition to those of the method.
            monitors: Measured after each epoch, in addition to those of the method.
            stops: Asked after each epoch; the first that answers ends the search.
            callbacks: Called with the record of each epoch.
            compute: The arithmetic; None is fp32 where `net` is.
            ranks: The processes that search together.
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
        self.kind = kind_of(space)
        self.net = net
        self.alphas = alphas
        self.loss = loss
        self.data = data
        self.method = method or Method()
        self.terms = (*self.method.terms(), *terms)
        self.monitors = (*self.method.monitors(), *monitors)
        self.history = History(stops)
        self.until = config.epochs
        """The epochs to run; fewer than those of the schedules where the rest is another search."""
        # All draws of the method: equal on all ranks, independent of torch's global generator.
        self.generator = torch.Generator().manual_seed(config.seed)
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
        ranks.broadcast_(alphas.parameters())
        self.renew_network()
        self.method_state = self.method.make_state(self)
        self._val_batches: Iterator[Batch] = iter(())

    def renew_network(self) -> None:
        """Follow the network after modules of it were replaced; its parameters are the same."""
        self.architect = Architect(
            self.net,
            self.alphas,
            self.loss,
            self.weight_optimizer,
            order=self.config.order,
            xi=self.config.xi,
            epsilon=self.config.epsilon,
            compute=self.compute,
            scaler=self.alpha_scaler,
            ranks=self.ranks,
        )
        images = torch.zeros((2, *self.data.image_shape), device=self.device)
        example, unused = (images, self.distribution()), not self.method.runs_all_operators
        self._parallel_net = self.ranks.parallel(self.net, *example, some_unused=unused)

    def release(self) -> None:
        """Give up the wrapper of the network, so that another searcher may wrap it."""
        self._parallel_net = self.net

    @property
    def progress(self) -> Progress:
        """Where the search is."""
        return Progress(self.epoch, self.epochs)

    def search(self) -> Found:
        """Run to the last epoch from the present state, and return what was found.

        Raises:
            Stopped: A signal asked for it; a checkpoint was written.
            TrainingError: The loss is no longer finite.
        """
        self.run_epochs()
        if self.history.stop() is not None:
            return self.kind.read(self.history.kept())
        last = Progress(max(self.epochs - 1, 0), self.epochs)
        return self.method.decode(self.alphas, self.space, last)

    def is_finished(self) -> bool:
        """Whether no epoch is left, or a stopping rule has ended the search."""
        return self.epoch >= self.until or self.history.stop() is not None

    def run_epoch(self) -> dict[str, Any]:
        """Run what is left of an epoch, then measure; return its record."""
        self._train()
        trained, measured = self.epoch_meter(), self._measure()
        self.guard.check_measured(measured.loss, "validation")
        self.ranks.check_equal(self.alphas.parameters(), "the alphas")
        weights = self.distribution()
        record = {
            "epoch": self.epoch,
            "learning_rate": self._learning_rate(),
            "train_loss": trained.loss,
            "train_accuracy": trained.accuracy,
            "val_loss": measured.loss,
            "val_accuracy": measured.accuracy,
            **epoch_record(
                alphas=self.alphas,
                weights=weights,
                entropy=self.method.entropy(self.alphas, weights),
                found=self.method.decode(self.alphas, self.space, self.progress),
                space=self.space,
                image_shape=self.data.image_shape,
                num_classes=self.data.num_classes,
            ),
        }
        if decision := decision_numbers([*self.history.records, record], self.space):
            record["decision"] = decision
        if measures := measure_all(self):
            record["measures"] = measures
        return record

    def on_record(self, record: dict[str, Any]) -> None:
        """Keep the record as metrics.jsonl has it, the one of the first rank on all of them."""
        self.history.add(self.ranks.bytes_from_first(lambda: json.dumps(record).encode()))
        warning = self.warning()
        if warning and self.ranks.is_first:
            _logger.warning(warning)

    def warning(self) -> str | None:
        """Return what the user should know after the last record, or None."""
        return self.kind.warning(self.history.records)

    def distribution(self) -> ArchWeights:
        """Return what the method measures, records and decodes, without a graph."""
        return self._leaves(self.method.distribution(self.alphas, self.progress))

    def describe(self, record: dict[str, Any]) -> str:
        """Write the line that is shown after an epoch."""
        return describe_record(record, self.epochs)

    def _train(self) -> None:
        for group in self.weight_optimizer.param_groups:
            group["lr"] = self._learning_rate()
        if self.step_in_epoch == 0:
            self.method.begin_epoch(self)
        self.net.train()
        self._val_batches = endless(self.data.val_loader)
        for train_batch in self.train_batches():
            self.method.step(self, train_batch)
            self.step_done()
        self.guard.check_deferred()

    def _learning_rate(self) -> float:
        config = self.config
        progress = self.epoch / self.epochs
        return config.learning_rate_scale * cosine(
            config.learning_rate, config.learning_rate_min, progress
        )

    def alpha_step(
        self,
        train_batch: Batch,
        watch: Sequence[str] = (),
        arch_weights: Callable[[], ArchWeights] | None = None,
    ) -> dict[str, Tensor]:
        """Take one step of the alphas, on the next validation batch.

        Args:
            train_batch: The batch of the step; the second order needs it.
            watch: Names of network weights; first order only.
            arch_weights: Returns those in place of a draw, with a graph; called in every pass.

        Returns:
            The gradients of the validation loss by the watched weights, by name.
        """
        val_batch = self.next_batch(self._val_batches)
        gradient = self.architect.step(
            val_batch,
            train_batch,
            arch_weights=arch_weights or self._arch_weights(),
            term=self._term if self.terms else None,
            watch=watch,
        )
        values = {"val_loss": gradient.val_loss}
        if not self.alpha_scaler.is_enabled():  # which itself leaves out such gradients
            gradients = [a.grad for a in self.alphas.parameters() if a.grad is not None]
            values["gradient_norm"] = get_total_norm(gradients)
        if self.guard.expect_finite("alpha step", **values):
            self.alpha_scaler.step(self.alpha_optimizer)
            self.alpha_scaler.update()
        self.alpha_optimizer.zero_grad()
        return gradient.of_weights

    def weight_step(self, train_batch: Batch, arch_weights: ArchWeights | None = None) -> bool:
        """Take one step of the network weights.

        Args:
            train_batch: Images and targets.
            arch_weights: In place of those of a draw of the method; without a graph.

        Returns:
            Whether the step was taken: one with numbers that are not finite may be left out.
        """
        if arch_weights is None:
            arch_weights = self._leaves(self._arch_weights()())
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
        values = {"train_loss": self.mean_over_ranks(shares)}
        norm = clip_grad_norm_(self.net.parameters(), self.config.grad_clip)
        if not self.weight_scaler.is_enabled():
            values["gradient_norm"] = norm
        is_taken = self.guard.check_finite("weight step", **values)
        if is_taken:
            self.weight_scaler.step(self.weight_optimizer)
            for one in passes:
                self.train_meter.update(*one)
        else:
            restore_buffers()
        self.weight_scaler.update()
        return is_taken

    def joint_step(self, train_batch: Batch, alpha_grad_clip: float) -> None:
        """Take one step of weights and alphas from one loss, for a method of one level.

        Args:
            train_batch: Images and targets.
            alpha_grad_clip: Largest norm of the gradient of the alphas.
        """
        arch_weights = self._arch_weights()()
        leaves = self._leaves(arch_weights)
        for weights in leaves.values():
            weights.ops.requires_grad_()
        scale = scale_of(self.weight_scaler, train_batch[1])
        if not self.weight_step(train_batch, leaves):
            return
        outputs = [weights.ops for weights in arch_weights.values()]
        slopes = [None if (grad := w.ops.grad) is None else grad / scale for w in leaves.values()]
        if self.terms and (term := self._term()).requires_grad:
            outputs.append(term)
            slopes.append(None)
        torch.autograd.backward(outputs, slopes)
        self.ranks.mean_([a.grad for a in self.alphas.parameters() if a.grad is not None])
        norm = clip_grad_norm_(self.alphas.parameters(), alpha_grad_clip)
        if self.guard.expect_finite("joint step", alpha_gradient_norm=norm):
            self.alpha_optimizer.step()
        self.alpha_optimizer.zero_grad()

    def _arch_weights(self) -> Callable[[], ArchWeights]:
        """Draw once, and return what turns the alphas into weights."""
        noise, progress = self.draw(), self.progress
        return lambda: self.method.arch_weights(self.alphas, progress, noise)

    @staticmethod
    def _leaves(arch_weights: ArchWeights) -> dict[str, EdgeWeights]:
        return {group: weights.detach() for group, weights in arch_weights.items()}

    def draw(self) -> Noise | None:
        """Draw the noise of a step from the generator of the method."""
        return self.method.draw(self.alphas, self.progress, self.generator)

    def _term(self) -> Tensor:
        return sum_of(self.terms, self.alphas, self.progress)

    def norms(self) -> dict[str, float]:
        """Return the norms of weights and alphas."""
        return {"weights": norm_of(self.net), "alphas": norm_of(self.alphas)}

    @torch.no_grad()
    def _measure(self) -> Meter:
        """Measure on the half that updates alpha, with the running statistics of the first rank."""
        self.ranks.broadcast_(self.net.buffers())
        self.net.eval()
        meter = Meter(self.device)
        arch_weights = self.method.arch_weights(self.alphas, self.progress, noise=None)
        for images, targets in self.data.measure_loader(self.epoch):
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
            "method_generator": self.generator.get_state(),
            "method_state": self.method_state and self.method_state.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take on a state that `state_dict` returned."""
        super().load_state_dict(state)
        if self.method_state is not None:  # first, because the network may change its shapes
            self.method_state.load_state_dict(state["method_state"])
        self.net.load_state_dict(state["net"])
        self.alphas.load_state_dict(state["alphas"])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        self.alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        self.weight_scaler.load_state_dict(state["weight_scaler"])
        self.alpha_scaler.load_state_dict(state["alpha_scaler"])
        self.data.val_loader.load_state_dict(state["val_loader"])
        if "method_generator" in state:  # older checkpoints are all of DARTS, which draws nothing
            self.generator.set_state(state["method_generator"])
        lines = self.ranks.bytes_from_first(lambda: self.run.read_bytes("metrics.jsonl"))
        self.history.restore(lines, self.epoch)
