"""Dirichlet draws, their gradient and the divergence against torch.distributions."""

import pytest
import torch
from torch.distributions import Dirichlet, kl_divergence

from nas.search.dirichlet import (
    SMALLEST,
    concentration,
    divergence_from_flat,
    mean,
    reparametrized,
    sample_dirichlet,
)

ALL = torch.ones(1, 4, dtype=torch.bool)
SOME = torch.tensor([[True, False, True, True]])


def test_moments_of_draws():
    """Mean and variance of 20,000 draws are those of the distribution, for small c too."""
    c = torch.tensor([[0.02, 1.0, 0.5, 3.0]], dtype=torch.float64)
    n = 20_000
    draws = sample_dirichlet(c.expand(n, 4), torch.Generator().manual_seed(0))
    exact = Dirichlet(c[0])
    torch.testing.assert_close(draws.mean(dim=0), exact.mean, atol=0.005, rtol=0)
    torch.testing.assert_close(draws.var(dim=0), exact.variance, atol=0.002, rtol=0.05)


def test_a_tiny_concentration_draws_one_operator():
    """The sampler of torch returns uniform rows here."""
    c = torch.full((200, 4), SMALLEST)
    draws = sample_dirichlet(c, torch.Generator().manual_seed(1))
    assert (draws.amax(dim=1) > 0.999).all()
    assert set(draws.argmax(dim=1).tolist()) == {0, 1, 2, 3}


def test_absent_pairs_are_never_drawn():
    """The rest has the distribution of the rest."""
    n = 20_000
    c = torch.tensor([[1.0, 9.0, 0.5, 3.0]], dtype=torch.float64)
    draws = sample_dirichlet((c * SOME).expand(n, 4), torch.Generator().manual_seed(2))
    assert (draws[:, 1] == 0).all()
    rest = Dirichlet(c[SOME])
    torch.testing.assert_close(draws[:, SOME[0]].mean(dim=0), rest.mean, atol=0.005, rtol=0)


@pytest.mark.parametrize("present", [ALL, SOME])
def test_gradient_of_a_draw(present):
    """The gradient is that of rsample over the pairs that exist, and 0 elsewhere."""
    c = torch.tensor([[0.3, 2.0, 1.0, 7.0]], dtype=torch.float64, requires_grad=True)
    coefficients = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    torch.manual_seed(3)
    drawn = Dirichlet(c[present]).rsample()
    (expected,) = torch.autograd.grad((coefficients[present[0]] * drawn).sum(), c)
    sample = torch.zeros_like(c).masked_scatter(present, drawn.detach())
    weights = reparametrized(c * present, sample)
    assert torch.equal(weights, sample)
    (gradient,) = torch.autograd.grad((coefficients * weights).sum(), c)
    torch.testing.assert_close(gradient, expected, atol=1e-14, rtol=1e-12)


def test_the_gradient_is_unbiased():
    """Averaged over draws it is the derivative of the mean c_p / c_0."""
    n = 40_000
    c = torch.tensor([[0.5, 1.0, 2.0, 4.0]], dtype=torch.float64, requires_grad=True)
    rows = c.expand(n, 4)
    sample = sample_dirichlet(rows, torch.Generator().manual_seed(4))
    (gradient,) = torch.autograd.grad(reparametrized(rows, sample)[:, 0].mean(), c)
    (expected,) = torch.autograd.grad(mean(c)[0, 0], c)
    torch.testing.assert_close(gradient, expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("value", [-800.0, -20.0, 0.0, 50.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_alphas_stay_finite(value, dtype):
    """In fp32 elu + 1 is 0 below -17; draws, gradients and the divergence are finite numbers."""
    alpha = torch.tensor([[value, 0.0, value, -3.0]], dtype=dtype, requires_grad=True)
    c = concentration(alpha, SOME)
    sample = sample_dirichlet(c, torch.Generator().manual_seed(5))
    weights = reparametrized(c, sample)
    assert weights.dtype == dtype
    total = weights.square().sum() + divergence_from_flat(c).sum() + mean(c)[0, 0]
    total.backward()
    assert torch.isfinite(total) and torch.isfinite(alpha.grad).all()


@pytest.mark.parametrize("present", [ALL, SOME])
def test_divergence(present):
    c = torch.tensor([[0.3, 2.0, 1.0, 7.0]], dtype=torch.float64)
    rest = c[present]
    expected = kl_divergence(Dirichlet(rest), Dirichlet(torch.ones_like(rest)))
    torch.testing.assert_close(divergence_from_flat(c * present)[0], expected)


def test_one_operator_on_an_edge():
    """Its weight is 1 and nothing can change that."""
    present = torch.tensor([[False, True, False, False]])
    c = torch.rand(1, 4, dtype=torch.float64, requires_grad=True)
    sample = sample_dirichlet(c * present, torch.Generator().manual_seed(6))
    weights = reparametrized(c * present, sample)
    assert weights.tolist() == [[0, 1, 0, 0]]
    gradients = torch.autograd.grad(weights[0, 1] + divergence_from_flat(c * present).sum(), c)
    torch.testing.assert_close(gradients[0], torch.zeros_like(c))
