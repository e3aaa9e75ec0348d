"""Terms of the alpha loss against the numbers of the authors' code, and by hand."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.errors import ConfigError
from nas.search import Architect
from nas.search.method import Progress
from nas.search.terms import BetaDecay, sum_of
from nas.space import load_space
from nas.supernet import Alphas, Supernet
from tests.golden import fill
from tests.golden.test_darts import close

GOLDEN = fill.load("methods_regularised.json")["beta_darts"]


def filled(space, case):
    alphas = Alphas(space).double()
    edge = torch.arange(space.num_edges, dtype=torch.float64)[:, None]
    primitive = torch.arange(len(space.primitives), dtype=torch.float64)
    scale, phase = case["alpha_scale"], case["alpha_phase"]
    with torch.no_grad():
        alphas.normal.copy_(scale * torch.sin(1.7 * edge + 0.9 * primitive + phase))
        alphas.reduce.copy_(scale * torch.cos(1.3 * edge + 0.6 * primitive + phase))
    return alphas


@pytest.mark.parametrize("case", GOLDEN["architect_gradient"])
def test_beta_decay_in_the_architect(case):
    """The gradient of L_val + lambda * term is the reference's in every epoch of the file."""
    space = load_space("darts")
    alphas = filled(space, case)
    net = Supernet(space, init_channels=case["init_channels"], num_cells=case["num_cells"])
    net = fill.fill_weights(net).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025)
    architect = Architect(net, alphas, cross_entropy, optimizer)
    val_batch = fill.batch(case["batch"], case["batch"])
    for at in case["at"]:
        progress = Progress(at["epoch"], 100)
        gradient = architect.gradient(val_batch, term=lambda p=progress: BetaDecay()(alphas, p))
        close(gradient.normal, at["grad_normal"])
        close(gradient.reduce, at["grad_reduce"])


@pytest.mark.parametrize("case", GOLDEN["regulariser"])
def test_mean_over_all_edges(case):
    """Value and gradients of the bare term, on 6 edges of 5 primitives."""
    rows = {}
    edge = torch.arange(case["edges"], dtype=torch.float64)[:, None]
    primitive = torch.arange(case["primitives"], dtype=torch.float64)
    scale, phase = case["alpha_scale"], case["alpha_phase"]
    rows["normal"] = (scale * torch.sin(1.7 * edge + 0.9 * primitive + phase)).requires_grad_()
    rows["reduce"] = (scale * torch.cos(1.3 * edge + 0.6 * primitive + phase)).requires_grad_()

    class TwoMatrices:
        """As much of `Alphas` as a term reads."""

        groups = ("normal", "reduce")

        def logits_of(self, group):
            return rows[group]

    value = BetaDecay(weight=1.0)(TwoMatrices(), Progress(1, 2))
    value.backward()
    expected = case["mean_over_all_edges"]
    close(value, expected["value"])
    close(rows["normal"].grad[0], expected["grad_normal_row_0"])
    close(rows["reduce"].grad[0], expected["grad_reduce_row_0"])


def test_the_sum_of_terms():
    alphas, progress = Alphas(load_space("darts")), Progress(2, 4)
    terms = (BetaDecay(0.5), BetaDecay(0.25))
    total = sum_of(terms, alphas, progress)
    torch.testing.assert_close(total, 1.5 * BetaDecay(0.5)(alphas, progress))


@pytest.mark.parametrize(
    ("value", "said"), [(0.3, "0.3"), (None, "None"), (torch.ones(2), r"shape \(2,\)")]
)
def test_a_term_that_returns_something_else(value, said):
    """A term of a plug-in is named, with what it returned."""
    terms = (BetaDecay(), lambda alphas, progress: value)
    with pytest.raises(ConfigError, match=rf"term: function returned {said}; expected a tensor"):
        sum_of(terms, Alphas(load_space("darts")), Progress(0, 2))
