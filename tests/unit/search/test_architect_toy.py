"""The architect on a quadratic bilevel problem, whose alpha gradient has a closed form.

L_train(w, a) = 1/2 w'Hw + b'w + a'Gw and L_val(w, a) = 1/2 (w - c)'K(w - c) + a'Mw, with a the
flattened alphas. Both are written as a "network" with one weight vector: the logits are the vector
[w, a], and the loss of a batch is a quadratic form that the batch's targets choose.
"""

import pytest
import torch
from torch import nn

from nas.search import Architect

NUM_WEIGHTS, ROWS, COLUMNS = 5, 2, 3
NUM_ALPHAS = 2 * ROWS * COLUMNS
LR, MOMENTUM, WEIGHT_DECAY = 0.1, 0.9, 0.01
TRAIN, VAL = torch.tensor(0), torch.tensor(1)


class Alphas(nn.Module):
    def __init__(self):
        super().__init__()
        self.normal = nn.Parameter(torch.randn(ROWS, COLUMNS, dtype=torch.float64))
        self.reduce = nn.Parameter(torch.randn(ROWS, COLUMNS, dtype=torch.float64))

    def weights(self):
        return self.normal, self.reduce


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(NUM_WEIGHTS, dtype=torch.float64))
        self.unused = nn.Parameter(torch.ones(2, dtype=torch.float64))

    def forward(self, images, arch_weights):
        return torch.cat([self.w, *(rows.flatten() for rows in arch_weights)])


class Problem:
    """The matrices, the loss and the closed forms."""

    def __init__(self):
        torch.manual_seed(0)
        n, m = NUM_WEIGHTS, NUM_ALPHAS
        kwargs = {"dtype": torch.float64}
        half = torch.randn(n, n, **kwargs)
        self.h, self.k = half @ half.T, half.T @ half + torch.eye(n, **kwargs)
        self.b, self.c = torch.randn(n, **kwargs), torch.randn(n, **kwargs)
        self.g, self.m = torch.randn(m, n, **kwargs), torch.randn(m, n, **kwargs)
        self.net, self.alphas = Net(), Alphas()
        self.optimizer = torch.optim.SGD(
            self.net.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
        )

    def loss(self, logits, targets):
        w, a = logits[:NUM_WEIGHTS], logits[NUM_WEIGHTS:]
        if targets == TRAIN:
            return w @ self.h @ w / 2 + self.b @ w + a @ self.g @ w
        return (w - self.c) @ self.k @ (w - self.c) / 2 + a @ self.m @ w

    def closed_form(self, xi, buffer):
        """dL_val(w'(a), a)/da = M w' - xi G K-part: the chain rule, written out."""
        w = self.net.w.detach()
        a = torch.cat([self.alphas.normal.flatten(), self.alphas.reduce.flatten()]).detach()
        gradient = self.h @ w + self.b + self.g.T @ a
        virtual = w - xi * (MOMENTUM * buffer + gradient + WEIGHT_DECAY * w)
        v = self.k @ (virtual - self.c) + self.m.T @ a
        return self.m @ virtual - xi * self.g @ v

    def architect(self, order, **settings):
        return Architect(self.net, self.alphas, self.loss, self.optimizer, order=order, **settings)


def flat(gradient):
    return torch.cat([gradient.normal.flatten(), gradient.reduce.flatten()])


@pytest.fixture
def problem():
    return Problem()


def batches():
    images = torch.zeros(1)
    return (images, VAL), (images, TRAIN)


def test_first_order_is_the_partial_derivative(problem):
    """At xi = 0 only dL_val/da at w remains."""
    gradient = problem.architect("first_order").gradient(batches()[0])
    torch.testing.assert_close(flat(gradient), problem.m @ problem.net.w.detach())


@pytest.mark.parametrize("order", ["second_order", "second_order_exact"])
@pytest.mark.parametrize("buffer_scale", [None, 0.0, 0.7])
@pytest.mark.parametrize("xi", [None, 0.03])
def test_second_order_is_the_closed_form(problem, order, buffer_scale, xi):
    """Both second orders are exact on a quadratic, with and without momentum, at any xi."""
    buffer = torch.zeros(NUM_WEIGHTS, dtype=torch.float64)
    if buffer_scale is not None:
        buffer = buffer_scale * torch.arange(NUM_WEIGHTS, dtype=torch.float64)
        problem.optimizer.state[problem.net.w]["momentum_buffer"] = buffer.clone()
    gradient = problem.architect(order, xi=xi).gradient(*batches())
    expected = problem.closed_form(LR if xi is None else xi, buffer)
    torch.testing.assert_close(flat(gradient), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("epsilon", [1e-3, 0.1, 3.0])
def test_the_finite_difference_does_not_depend_on_its_step(problem, epsilon):
    """Exact on a quadratic at any epsilon.

    The famous fault, (p - n) / 2 * eps in place of / (2 * eps), changes the Hessian term by a
    factor of eps ** 2, which this problem makes visible: the term is above 0.1.
    """
    buffer = torch.zeros(NUM_WEIGHTS, dtype=torch.float64)
    gradient = flat(problem.architect("second_order", epsilon=epsilon).gradient(*batches()))
    torch.testing.assert_close(gradient, problem.closed_form(LR, buffer), rtol=1e-8, atol=1e-8)
    virtual = problem.architect("second_order", xi=0.0).gradient(*batches())
    assert (gradient - flat(virtual)).abs().max() > 0.1


def test_second_order_at_a_stationary_point(problem):
    """Where v = dL_val/dw' is zero the Hessian term vanishes instead of dividing by zero."""
    problem.k.zero_()
    problem.m.zero_()
    gradient = problem.architect("second_order").gradient(*batches())
    assert torch.equal(flat(gradient), torch.zeros(NUM_ALPHAS, dtype=torch.float64))


def test_second_order_needs_the_training_batch(problem):
    """Without the batch of the virtual step there is no second order."""
    with pytest.raises(ValueError, match="training batch"):
        problem.architect("second_order").step(batches()[0])


def test_unknown_order_is_refused(problem):
    with pytest.raises(ValueError, match="third_order"):
        problem.architect("third_order")


@pytest.mark.parametrize("setting", [{"nesterov": True}, {"dampening": 0.1}, {"maximize": True}])
def test_an_optimiser_that_the_virtual_step_does_not_follow_is_refused(problem, setting):
    """Nesterov, dampening and maximize would make w' another step than SGD's."""
    optimizer = torch.optim.SGD(problem.net.parameters(), lr=0.1, momentum=0.9, **setting)
    with pytest.raises(ValueError, match="virtual step"):
        Architect(problem.net, problem.alphas, problem.loss, optimizer)
