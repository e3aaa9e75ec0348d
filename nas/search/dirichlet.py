"""Dirichlet distributions over the operators of edges: draws, their gradient, and the divergence.

A concentration of 0 is a pair that the space does not have: it is never drawn, and the others have
the distribution of the rest.

Shape legend: E edges, P primitives.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from nas.runtime.device import to_device

SMALLEST = 1e-6
"""No concentration is smaller: elu(alpha) + 1 rounds to 0 for alpha below about -17 in fp32."""


def concentration(logits: Tensor, present: Tensor) -> Tensor:
    """Return elu(logits) + 1, (E, P), in fp32 at least, and 0 where `present` is False."""
    exact = logits if logits.dtype == torch.float64 else logits.float()
    return (F.elu(exact) + 1).clamp_min(SMALLEST).masked_fill(~present, 0)


def sample_dirichlet(c: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one distribution for each edge, (..., E, P), float64 on the CPU, without a graph.

    log Gamma(c) = log Gamma(c + 1) - X / c with X ~ Exp(1), so the numbers are added up as
    logarithms. torch's own sampler returns a uniform row when all gammas of a small c underflow.

    Args:
        c: Concentrations, (..., E, P).
        generator: On the CPU.
    """
    c = c.detach().double().cpu()
    is_absent = c == 0
    log_gamma = torch._standard_gamma(c + 1, generator=generator).log()
    log_gamma -= torch.empty_like(c).exponential_(generator=generator) / c.masked_fill(is_absent, 1)
    return log_gamma.masked_fill(is_absent, -torch.inf).softmax(dim=-1)


def reparametrized(c: Tensor, sample: Tensor) -> Tensor:
    """Return `sample`, (E, P), with the gradient of a reparametrized draw in `c`.

    It is the gradient of `torch.distributions.Dirichlet.rsample`, row by row.
    """
    return _Reparametrized.apply(c.double(), to_device(sample, c.device)).to(c.dtype)


class _Reparametrized(torch.autograd.Function):
    """A given draw from a Dirichlet distribution."""

    @staticmethod
    def forward(ctx: Any, c: Tensor, sample: Tensor) -> Tensor:
        ctx.save_for_backward(c, sample)
        return sample.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        c, sample = ctx.saved_tensors
        total = c.sum(dim=1, keepdim=True).expand_as(c)
        # Where nothing is, the sample is 0 and any positive concentration gives 0.
        slope = torch._dirichlet_grad(sample, c.clamp_min(SMALLEST), total)
        return slope * (grad - (sample * grad).sum(dim=1, keepdim=True)), None


def mean(c: Tensor) -> Tensor:
    """Return the mean c / c_0 of each edge, (E, P)."""
    return c / c.sum(dim=1, keepdim=True)


def divergence_from_flat(c: Tensor) -> Tensor:
    """Return KL(Dir(c) || Dir(1)) of each edge, (E,).

    lnG(c_0) - sum_p lnG(c_p) - lnG(P) + sum_p (c_p - 1) (psi(c_p) - psi(c_0)), c_0 = sum_p c_p
    """
    is_absent = c == 0
    ones = c.masked_fill(is_absent, 1)  # which add nothing to either sum
    total, count = c.sum(dim=1, keepdim=True), (~is_absent).sum(dim=1)
    slope = (ones - 1) * (ones.digamma() - total.digamma())
    normalizer = total[:, 0].lgamma() - ones.lgamma().sum(dim=1) - count.to(c).lgamma()
    return normalizer + slope.sum(dim=1)
