"""The architect: the gradient of the validation loss with respect to the alphas.

Bilevel problem: min over alpha of L_val(w*(alpha), alpha), w*(alpha) = argmin over w of
L_train(w, alpha). One virtual SGD step w' replaces w*.

With several ranks, each on its share of both batches, every gradient that enters an alpha update is
reduced here to its mean over the ranks, that of the virtual step too; DDP never sees these passes.

Every pass is a call on tensors handed in (`Substitute`), so that weights, BatchNorm buffers and
momentum stay as they are, bit for bit, with nothing to restore.

Source: DARTS (arXiv:1806.09055), Sec. 2.3, Eq. 5 to 8.
Deviation: the reference lets the passes of the architect update the running statistics of the
BatchNorms; here only the weight step does, because measuring an alpha should not move a weight's
state. In training mode the statistics are written and never read, so no gradient differs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from nas.distributed.ranks import ALONE, Ranks
from nas.runtime.compute import Batch, Compute, scale_of
from nas.search.functional import Substitute
from nas.supernet import Alphas, ArchWeights

ORDERS = ("first_order", "second_order", "second_order_exact")

Weights = dict[str, Tensor]
WeightsOfAlphas = Callable[[], ArchWeights | Sequence[Tensor]]
"""Computes arch_weights from the alphas, with a new graph in every call and the same values."""
Term = Callable[[], Tensor]
"""Computes what is added to the validation loss; a function of the alphas alone."""


@dataclass(frozen=True)
class AlphaGradient:
    """The gradient of the validation loss with respect to the architecture parameters."""

    gradients: dict[str, Tensor]
    """By the names of `alphas.named_parameters()`; also attributes, such as `gradient.normal`."""
    val_loss: Tensor
    """The validation loss at w (first order) or w' (second order), without terms."""
    of_weights: dict[str, Tensor] = field(default_factory=dict)
    """Its gradient by the network weights that were watched, by name, without a scale."""

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("__") or name not in self.gradients:
            raise AttributeError(name)
        return self.gradients[name]


class Architect:
    """Computes alpha gradients; owns no parameter and no optimizer step.

    The loss and the optimizer of the weights are given to it: the second order reads learning
    rate, momentum, weight decay and momentum buffers from the optimizer, so that the virtual step
    is the step that SGD would take.
    """

    def __init__(
        self,
        net: nn.Module,
        alphas: Alphas,
        loss: Callable[[Tensor, Tensor], Tensor],
        weight_optimizer: torch.optim.SGD,
        *,
        order: str = "first_order",
        xi: float | None = None,
        epsilon: float = 0.01,
        compute: Compute | None = None,
        scaler: torch.amp.GradScaler | None = None,
        ranks: Ranks = ALONE,
    ):
        """Prepare.

        Args:
            net: The supernet, called as `net(images, arch_weights)`; in training mode.
            alphas: The architecture parameters.
            loss: `loss(logits, targets)`, a mean over the batch.
            weight_optimizer: SGD over the parameters of `net`.
            order: "first_order", "second_order" (Hessian term by a central difference) or
                "second_order_exact" (by double backward).
            xi: Step of the virtual weights; None takes the current learning rate.
            epsilon: The central difference moves w by epsilon / ||v|| along v (DARTS: 0.01).
            compute: Its autocast and micro-batches are those of every pass, but that the exact
                second order takes batches whole; None is fp32, whole batches.
            scaler: Of the step of the alphas' optimizer, which then gets scaled gradients; only
                the first order allows one that is enabled.
            ranks: The processes that search together; `gradient` and `step` are collective.

        Raises:
            ValueError: An unknown order, or an SGD with dampening, Nesterov or maximize, which
                the virtual step does not follow.
        """
        if order not in ORDERS:
            raise ValueError(f"order is {order!r}; it must be one of {ORDERS}")
        for group in weight_optimizer.param_groups:
            if group["dampening"] or group["nesterov"] or group["maximize"]:
                raise ValueError("the virtual step follows SGD without dampening and Nesterov")
        self.net = net
        self._substitute = Substitute(net)
        self.alphas = alphas
        self.loss = loss
        self.weight_optimizer = weight_optimizer
        self.order = order
        self.xi = xi
        self.epsilon = epsilon
        self.compute = compute or Compute(next(net.parameters()).device)
        self.scaler = scaler or torch.amp.GradScaler(enabled=False)
        self.ranks = ranks
        self._arch_weights: WeightsOfAlphas = alphas.weights

    def step(
        self,
        val_batch: Batch,
        train_batch: Batch | None = None,
        arch_weights: WeightsOfAlphas | None = None,
        term: Term | None = None,
        watch: Sequence[str] = (),
    ) -> AlphaGradient:
        """Set the `.grad` of all architecture parameters; nothing else changes.

        Args:
            val_batch: From the half of the training set that updates alpha.
            train_batch: The batch of the weight step that follows; the second order needs it.
            arch_weights: From the alphas to the weights of the supernet; None is the softmax.
            term: Added to the validation loss; None adds nothing.
            watch: Names of network weights whose gradients are returned too; first order only.

        Returns:
            What was set, the same on all ranks.
        """
        gradient = self.gradient(val_batch, train_batch, arch_weights, term, watch)
        for name, parameter in self.alphas.named_parameters():
            parameter.grad = gradient.gradients[name]
        return gradient

    def gradient(
        self,
        val_batch: Batch,
        train_batch: Batch | None = None,
        arch_weights: WeightsOfAlphas | None = None,
        term: Term | None = None,
        watch: Sequence[str] = (),
    ) -> AlphaGradient:
        """Return the alpha gradient that `step` would set; the arguments are the same."""
        self._arch_weights = arch_weights or self.alphas.weights
        # Before the passes, because a term may wait for the GPU, which has little to do now.
        of_term = None if term is None else self._gradient_of(term)
        of_weights: dict[str, Tensor] = {}
        if self.order == "first_order":
            gradient, val_loss, of_weights = self._first_order(val_batch, watch)
        elif train_batch is None:
            raise ValueError(f"{self.order} needs the training batch")
        elif self.order == "second_order_exact":
            gradient, val_loss = self._second_order_exact(val_batch, train_batch)
        else:
            gradient, val_loss = self._second_order(val_batch, train_batch)
        if of_term is not None:  # it has no weights w, so its gradient is the same in every order
            gradient = list(torch._foreach_add(gradient, of_term))
        names = (name for name, _ in self.alphas.named_parameters())
        return AlphaGradient(dict(zip(names, gradient, strict=True)), val_loss, of_weights)

    def _gradient_of(self, term: Term) -> list[Tensor]:
        return _gradient(self.scaler.scale(term()), self._alphas())

    def _first_order(
        self, val_batch: Batch, watch: Sequence[str]
    ) -> tuple[list[Tensor], Tensor, Weights]:
        """Eq. 6 with xi = 0: dL_val(w, alpha)/d alpha, and the gradients of watched weights."""
        weights, alphas = self._weights(), self._alphas()
        leaves = [weights[name].requires_grad_() for name in watch]
        val_loss, gradient = self._differentiate(weights, val_batch, [*alphas, *leaves])
        scale = scale_of(self.scaler, val_loss)
        of_weights = [slope / scale for slope in gradient[len(alphas) :]]
        return gradient[: len(alphas)], val_loss, dict(zip(watch, of_weights, strict=True))

    def _second_order(self, val_batch: Batch, train_batch: Batch) -> tuple[list[Tensor], Tensor]:
        """Eq. 7 and 8: dL_val(w')/d alpha - xi * [dL_train(w+) - dL_train(w-)] / (2 step)."""
        weights = self._weights()
        names = list(weights)
        w = list(weights.values())

        leaves = _as_leaves(weights)
        _, gradient = self._differentiate(leaves, train_batch, list(leaves.values()))
        with torch.no_grad():
            virtual = self._virtual_step(w, gradient)
        leaves = _as_leaves(dict(zip(names, virtual, strict=True)))
        alphas = self._alphas()
        val_loss, gradient = self._differentiate(leaves, val_batch, [*alphas, *leaves.values()])
        of_alphas, v = gradient[: len(alphas)], gradient[len(alphas) :]
        del leaves, virtual, gradient

        # For v = 0 the step is epsilon: both sides are at w, and H v = 0. Asking whether it is 0
        # would wait for the GPU.
        norm = get_total_norm(v)
        step = self.epsilon / torch.where(norm == 0, torch.ones_like(norm), norm)
        with torch.no_grad():
            displacement = torch._foreach_mul(v, step)
        sides = []
        for move in (torch._foreach_add, torch._foreach_sub):
            with torch.no_grad():
                moved = dict(zip(names, move(w, displacement), strict=True))
            sides.append(self._differentiate(moved, train_batch, alphas)[1])
        hessian_v = [(plus - minus) / (2 * step) for plus, minus in zip(*sides, strict=True)]
        scale = self._correction_scale()
        corrected = [slope - scale * h for slope, h in zip(of_alphas, hessian_v, strict=True)]
        return corrected, val_loss

    def _second_order_exact(
        self, val_batch: Batch, train_batch: Batch
    ) -> tuple[list[Tensor], Tensor]:
        """Eq. 6 exactly: differentiate L_val(w'(alpha), alpha) through the virtual step."""
        leaves = _as_leaves(self._weights())
        w = list(leaves.values())
        own = torch.autograd.grad(
            self._loss(leaves, train_batch),
            w,
            create_graph=True,
            materialize_grads=True,
            allow_unused=True,
        )
        gradient = self.ranks.mean_in_graph(own)
        virtual = dict(zip(leaves, self._virtual_step(w, gradient), strict=True))
        val_loss = self._loss(virtual, val_batch)
        of_alphas = _gradient(val_loss, self._alphas())
        self.ranks.mean_([*of_alphas, val_loss.detach()])
        return of_alphas, val_loss.detach()

    def _virtual_step(self, w: list[Tensor], gradient: Sequence[Tensor]) -> list[Tensor]:
        """Return w' = w - xi * (momentum * buffer + dL_train/dw + weight_decay * w)."""
        settings = {
            parameter: group
            for group in self.weight_optimizer.param_groups
            for parameter in group["params"]
        }
        virtual = []
        for parameter, value, slope in zip(self.net.parameters(), w, gradient, strict=True):
            group = settings[parameter]
            direction = slope + group["weight_decay"] * value
            buffer = self.weight_optimizer.state[parameter].get("momentum_buffer")
            if buffer is not None:
                direction = direction + group["momentum"] * buffer
            virtual.append(value - self._xi(group) * direction)
        return virtual

    def _xi(self, group: dict) -> float:
        return group["lr"] if self.xi is None else self.xi

    def _correction_scale(self) -> float:
        return self._xi(self.weight_optimizer.param_groups[0])

    def _differentiate(
        self, weights: Weights, batch: Batch, inputs: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the loss on a batch at given weights, detached, and its scaled gradient.

        Both are means over the ranks.
        """
        total = torch.zeros((), device=batch[0].device)
        gradient: list[Tensor] = []
        for part, share in self.compute.split(batch):
            loss = share * self._loss(weights, part)
            slopes = _gradient(self.scaler.scale(loss), inputs)
            total = total + loss.detach()
            gradient = list(torch._foreach_add(gradient, slopes)) if gradient else slopes
        self.ranks.mean_([total, *gradient])
        return total, gradient

    def _loss(self, weights: Weights, batch: Batch) -> Tensor:
        """Return the loss at given weights; the net's buffers are written on a scratch copy."""
        images, targets = batch
        with self.compute.autocast():
            logits = self._substitute(weights, images, self._arch_weights())
            return self.loss(logits, targets)

    def _weights(self) -> Weights:
        """Return w without gradients: the tensors are shared, not copied."""
        return {name: parameter.detach() for name, parameter in self.net.named_parameters()}

    def _alphas(self) -> list[Tensor]:
        return list(self.alphas.parameters())


def _as_leaves(weights: Weights) -> Weights:
    return {name: tensor.detach().requires_grad_() for name, tensor in weights.items()}


def _gradient(value: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradient of a scalar; zeros for inputs that it does not depend on."""
    if not value.requires_grad:  # such as a cell in which only `none` was drawn
        return [torch.zeros_like(tensor) for tensor in inputs]
    return list(torch.autograd.grad(value, inputs, materialize_grads=True, allow_unused=True))
