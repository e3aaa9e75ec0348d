"""The largest eigenvalue of the Hessian of the loss with respect to the alphas.

Source: Robust DARTS (arXiv:1909.09656), Sec. 3.2; Lanczos, "An iteration method for the solution of
the eigenvalue problem", 1950, with all vectors orthogonalized against each other.

Shape legend: n entries of all architecture parameters together.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from nas.distributed.ranks import ALONE, Ranks
from nas.runtime.compute import Batch, Compute
from nas.search.functional import Substitute
from nas.supernet import Alphas, ArchWeights

Loss = Callable[[Tensor, Tensor], Tensor]
Product = Callable[[Tensor], Tensor]
"""Multiplies a vector, (n,), with a symmetric matrix."""


class Eigenvalue(NamedTuple):
    """An estimate of the largest algebraic eigenvalue."""

    value: float
    residual: float
    """||H u - value u|| for the unit vector u that belongs to it; an eigenvalue is that close."""


def largest_eigenvalue(
    product: Product, start: Tensor, *, num_products: int = 40, tolerance: float = 1e-3
) -> Eigenvalue:
    """Find the largest algebraic eigenvalue of a symmetric matrix by Lanczos.

    Not the largest absolute one: the most negative eigenvalue is often the larger of the two.

    Args:
        product: Multiplies with the matrix.
        start: (n,); not orthogonal to the eigenvector that is sought.
        num_products: At most this many products.
        tolerance: The residual at which to stop, relative to the largest absolute eigenvalue.
    """
    basis = [start / start.norm()]
    diagonal: list[Tensor] = []
    off_diagonal: list[Tensor] = []
    while True:
        image = product(basis[-1])
        diagonal.append(image @ basis[-1])
        for _ in range(2):  # the second pass removes what rounding left of the first
            stacked = torch.stack(basis)
            image = image - stacked.T @ (stacked @ image)
        rest = image.norm()
        values, vectors = torch.linalg.eigh(_tridiagonal(diagonal, off_diagonal))
        residual = (rest * vectors[-1, -1].abs()).item()
        scale = max(values.abs().max().item(), torch.finfo(values.dtype).tiny)
        is_done = len(basis) >= min(num_products, len(start)) or residual <= tolerance * scale
        if is_done or rest.item() <= torch.finfo(values.dtype).eps * scale:
            return Eigenvalue(values[-1].item(), residual)
        off_diagonal.append(rest)
        basis.append(image / rest)


def _tridiagonal(diagonal: list[Tensor], off_diagonal: list[Tensor]) -> Tensor:
    matrix = torch.diag(torch.stack(diagonal))
    if off_diagonal:
        next_to = torch.stack(off_diagonal)
        matrix = matrix + torch.diag(next_to, 1) + torch.diag(next_to, -1)
    return matrix


class AlphaHessian:
    """The Hessian of the validation loss with respect to all architecture parameters.

    At the current weights, in training mode, on one batch, without terms and without the weight
    decay of the alphas. Weights, BatchNorm buffers and the random state are as before afterwards.
    Several ranks compute the Hessian of their mean loss; all calls are then collective.

    Deviation: the reference takes the last validation batch of the epoch and moves the running
    statistics; here it is the first batch of the measuring pass, which a resumed run knows too. Its
    numbers contain the weight decay of the alphas, 0.001; ours do not.
    """

    def __init__(
        self,
        net: nn.Module,
        alphas: Alphas,
        loss: Loss,
        batch: Batch,
        *,
        arch_weights: Callable[[], ArchWeights],
        compute: Compute | None = None,
        ranks: Ranks = ALONE,
    ):
        """Prepare; a batch that is not divided into micro-batches is evaluated once.

        Args:
            net: The supernet.
            alphas: The architecture parameters.
            loss: `loss(logits, targets)`, a mean over the batch.
            batch: Images and targets.
            arch_weights: From the alphas to the weights of the supernet, with a new graph.
            compute: Its micro-batches; None takes the batch whole.
            ranks: The processes that compute together.
        """
        self.net = net
        self.alphas = list(alphas.parameters())
        self.size = sum(alpha.numel() for alpha in self.alphas)
        self.loss = loss
        self.arch_weights = arch_weights
        self.ranks = ranks
        self._call = Substitute(net)
        self._parts = list(compute.split(batch)) if compute else [(batch, 1.0)]
        self._kept = self._gradient(*self._parts[0]) if len(self._parts) == 1 else None

    def __matmul__(self, vector: Tensor) -> Tensor:
        """Return the product with a vector, (n,), by double backward."""
        total = torch.zeros_like(vector)
        for part, share in self._parts:
            gradient = self._gradient(part, share) if self._kept is None else self._kept
            if gradient.requires_grad:  # else the loss is linear in the alphas
                slopes = torch.autograd.grad(
                    gradient @ vector,
                    self.alphas,
                    retain_graph=self._kept is not None,
                    materialize_grads=True,
                    allow_unused=True,
                )
                total += parameters_to_vector(slopes)
        self.ranks.mean_([total])
        return total

    def exact(self) -> Tensor:
        """Return the whole matrix, (n, n), row by row: the definition, for small spaces."""
        unit = torch.eye(self.size, dtype=self.alphas[0].dtype, device=self.alphas[0].device)
        return torch.stack([self @ row for row in unit])

    def _gradient(self, batch: Batch, share: float) -> Tensor:
        """Return the gradient of the loss, (n,), with its graph."""
        images, targets = batch
        was_training = self.net.training
        weights = {name: parameter.detach() for name, parameter in self.net.named_parameters()}
        devices = [images.device] if images.device.type == "cuda" else []
        self.net.train()
        try:
            with torch.random.fork_rng(devices=devices):
                torch.manual_seed(0)  # an operator with chance in it is the same in every product
                loss = share * self.loss(self._call(weights, images, self.arch_weights()), targets)
        finally:
            self.net.train(was_training)
        return parameters_to_vector(
            torch.autograd.grad(
                loss, self.alphas, create_graph=True, materialize_grads=True, allow_unused=True
            )
        )
