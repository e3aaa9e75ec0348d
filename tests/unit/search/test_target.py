"""Targets: the expectation against enumeration, the gradient against finite differences."""

import itertools

import pytest
import torch

from nas.config import SearchConfig
from nas.config.network_size import NetworkSize
from nas.config.target import Target
from nas.errors import ConfigError
from nas.genotype import Genotype
from nas.models.cost import count_costs
from nas.operators import resolve
from nas.search import Method, target
from nas.search.method import Progress
from nas.search.methods.fair_darts import FairDarts
from nas.search.methods.snas import Snas
from nas.search.target import NEVER, ROUNDED, TargetTerm, keep_chances, temperature, two_sided
from nas.space import SearchSpace, load_space
from nas.supernet import Alphas
from tests.golden import fill

PROGRESS = Progress(3, 50)
NAMES = ("none", "skip_connect", "sep_conv_3x3")


@pytest.fixture(scope="module")
def costs():
    """Two nodes, so that the second has three edges, one of which has a shorter list."""
    edges = (NAMES, NAMES, NAMES, NAMES[:2], NAMES)
    space = SearchSpace("tiny", 2, NAMES, normal=edges, reduce=edges)
    resolve(space)
    return count_costs("madds", space, (3, 8, 8), 10, NetworkSize(4, 3))


@pytest.fixture
def alphas(costs):
    return Alphas(costs.space, 1.0, torch.Generator().manual_seed(1)).double()


def term_of(costs, **settings):
    low, high = costs.bounds()
    return TargetTerm(Target("madds", (low + high) / 2, **settings), costs, Method())


def drawn_nodes(p, space, target):
    """Every way to draw two edges in turn and an operator on each: (chance, node)."""
    edges = list(space.incoming(target))
    passing = range(1, len(NAMES))
    strength = {e: max(p[e][o] for o in passing) for e in edges}
    for first, second in itertools.permutations(edges, 2):
        total = sum(strength.values())
        chance = strength[first] / total * strength[second] / (total - strength[first])
        for ops in itertools.product(passing, repeat=2):
            kept = list(zip((first, second), ops, strict=True))
            both = chance
            for e, o in kept:
                both *= p[e][o] / sum(p[e][k] for k in passing)
            yield both, tuple((NAMES[o], space.edges[e][0]) for e, o in kept)


def test_expected_cost_is_the_mean_over_all_drawn_cells(costs, alphas):
    """Enumerates every pair of cells with its chance."""
    space = costs.space
    nodes = [
        list(drawn_nodes(alphas.softmax(group).tolist(), space, target))
        for group in space.groups
        for target in (2, 3)
    ]
    # Costs add up over nodes, so that the mean is taken node by node, in otherwise fixed cells.
    first = [choices[0][1] for choices in nodes]
    mean, base = 0.0, cost_of(costs, first)
    for place, choices in enumerate(nodes):
        assert sum(chance for chance, _ in choices) == pytest.approx(1, abs=1e-12)
        for chance, node in choices:
            mean += chance * (cost_of(costs, [*first[:place], node, *first[place + 1 :]]) - base)
    logits = {group: alphas.softmax(group).log() for group in space.groups}
    for values in logits.values():
        values[:, 0] = NEVER
    expected = term_of(costs).mean_cost(logits)
    assert expected.item() == pytest.approx(base + mean, rel=1e-12)


def cost_of(costs, nodes):
    return costs.of(Genotype(tuple(nodes[:2]), (2, 3), tuple(nodes[2:]), (2, 3)))


def test_gradient_of_the_expected_cost(costs, alphas, monkeypatch):
    """Central differences, of every alpha of both cells, at a given temperature."""
    monkeypatch.setattr(target, "temperature", lambda *_: 0.3)
    term, step = term_of(costs), 1e-6
    expected = term.expected(alphas, PROGRESS)
    gradients = torch.autograd.grad(expected, [alphas[group] for group in alphas.groups])
    for group, gradient in zip(alphas.groups, gradients, strict=True):
        for index in itertools.product(*map(range, gradient.shape)):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    alphas[group][index] += sign * step
                    values.append(term.expected(alphas, PROGRESS).item())
                    alphas[group][index] -= sign * step
            slope = (values[0] - values[1]) / (2 * step)
            assert gradient[index].item() == pytest.approx(slope, rel=1e-5, abs=1e-3)


def test_the_term_is_calibrated_to_the_decoded_network(costs, alphas):
    """Its value is that of the decoded cost; a step along its gradient moves E to the target."""
    for value in costs.bounds():
        term = TargetTerm(Target("madds", value, weight=2.0), costs, Method())
        decoded, expected = term.decoded(alphas, PROGRESS), term.expected(alphas, PROGRESS)
        loss = term(alphas, PROGRESS)
        assert abs(decoded / value - 1) > ROUNDED
        assert loss.item() == pytest.approx(2 * abs(decoded / value - 1) - ROUNDED, rel=1e-12)
        gradient = torch.autograd.grad(loss, list(alphas.parameters()))
        moved = Alphas(costs.space).double()
        with torch.no_grad():
            for new, old, slope in zip(
                moved.parameters(), alphas.parameters(), gradient, strict=True
            ):
                new.copy_(old - 1e-3 * slope)
        change = (term.expected(moved, PROGRESS) - expected).item()
        assert change * (value - decoded) > 0


def test_rests_while_the_weights_warm_up(costs, alphas):
    """No value and no gradient before the first epoch of the term."""
    term = term_of(costs, warmup_epochs=2)
    assert not term(alphas, Progress(1, 50)).requires_grad
    assert term(alphas, Progress(1, 50)) == 0
    assert term(alphas, Progress(2, 50)).requires_grad


@pytest.mark.parametrize("case", fill.load("methods_regularised.json")["cost"]["loss_forms"])
def test_the_form_of_tf_nas(case):
    """Value and slope of lambda * |E / T - 1| on both sides of the target, not rounded."""
    form = case["tfnas lambda 0.1 restated"]
    expected = torch.tensor(case["expected"], dtype=torch.float64, requires_grad=True)
    loss = case["cross_entropy"] + 0.1 * two_sided(expected, case["target"], rounded=0)
    assert loss.item() == pytest.approx(form["loss"], rel=1e-12)
    loss.backward()
    assert expected.grad.item() == pytest.approx(form["d_expected"], rel=1e-12)


@pytest.mark.parametrize(
    ("cost", "value", "slope"),
    [(50, 0.45, -0.01), (89, 0.06, -0.01), (95, 0.0125, -0.005), (100, 0, 0), (104, 0.008, 0.004)],
)
def test_the_loss_is_rounded_near_the_target(cost, value, slope):
    """A parabola that continues |x| - 0.05 without a jump of value or slope; by hand."""
    at = torch.tensor(float(cost), dtype=torch.float64, requires_grad=True)
    loss = two_sided(at, 100.0)
    loss.backward()
    assert loss.item() == pytest.approx(value, abs=1e-12)
    assert at.grad.item() == pytest.approx(slope, abs=1e-12)


def test_the_temperature_is_half_the_mean_margin():
    """Of operators where an edge has a choice, and of the second and the third edge of a node."""
    edges = [(0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    logs = torch.tensor([[0.0, -1], [-2, -2.5], [-0.1, -3.1], [-0.3, -0.3], [-0.8, 0]])
    strengths = logs.double().exp()
    strengths[4, 1] = 0  # one operator, so no choice
    assert temperature(strengths, edges) == pytest.approx((1 + 0.5 + 3 + 0 + 0.5) / 5 / 2, abs=1e-7)
    assert temperature(strengths[:2, :1], edges[:2]) == 1
    assert 0 < temperature(torch.ones(5, 3), edges) < 1e-5


@pytest.mark.parametrize("scale", [1e-3, 1e-2, 1])
def test_the_decision_nearest_to_a_tie_moves_most(costs, alphas, scale):
    """However near to each other all weights are. Both edges are always kept."""
    term = term_of(costs)
    with torch.no_grad():
        for values in alphas.parameters():
            values.zero_()[:, 2] = scale
        alphas.normal[0, 2] = 1e-3 * scale
    (gradient,) = torch.autograd.grad(term.expected(alphas, PROGRESS), alphas.normal)
    assert gradient[0].abs().sum() > 2 * gradient[1].abs().sum() > 0


def test_chances_of_the_edges():
    """Two of two are always kept; of three by hand; a sure first edge leaves the rest fair."""
    assert torch.equal(keep_chances(torch.tensor([5.0, -5.0])), torch.ones(2))
    by_hand = [
        1 / 6 + 2 / 6 * 1 / 4 + 3 / 6 * 1 / 3,
        2 / 6 + 1 / 6 * 2 / 5 + 3 / 6 * 2 / 3,
        3 / 6 + 1 / 6 * 3 / 5 + 2 / 6 * 3 / 4,
    ]
    chances = keep_chances(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64).log())
    assert chances.tolist() == pytest.approx(by_hand, rel=1e-12)
    sure = keep_chances(torch.tensor([0.0, 0.0, 800.0]))
    assert sure.tolist() == pytest.approx([0.5, 0.5, 1.0])


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_a_target_out_of_reach_is_refused(costs, factor):
    """The message says what is reachable."""
    low, high = costs.bounds()
    value = factor * (low if factor < 1 else high)
    with pytest.raises(ConfigError, match=r"networks of space 'tiny' have .* to .* multiply-adds"):
        TargetTerm(Target("madds", value), costs, Method())


@pytest.mark.parametrize("method", [FairDarts(), Snas()])
def test_a_method_that_keeps_other_edges_is_refused(method):
    """Its cells have other costs than the expected ones."""
    space = load_space("darts")
    method.check(SearchConfig(), space)
    with pytest.raises(ConfigError, match=r"target: found madds=300e6.* decodes others"):
        method.check(SearchConfig(target="madds=300e6"), space)
