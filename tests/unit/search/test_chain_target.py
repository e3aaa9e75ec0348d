"""Targets of a chain: the expectation against enumeration, the gradient against differences."""

import itertools
from types import SimpleNamespace

import pytest
import torch

from nas.config import SearchConfig
from nas.config.target import Target
from nas.errors import ConfigError, shown_range
from nas.search import Method
from nas.search.chain_target import ChainTargetTerm
from nas.search.kind import kind_of
from nas.search.method import Progress
from nas.space import load_chain_space
from nas.space.blocks import Candidate
from nas.space.chain import ChainSpace, Stage, Stem
from nas.space.chain_cost import count_chain
from nas.supernet import Alphas
from tests.unit.models.test_chain_latency import made_up

PROGRESS = Progress(3, 50)
BLOCKS = tuple(Candidate("sandglass", ratio, kernel) for ratio in (2, 6) for kernel in (3, 5))
# Rows of different lengths: at stride 1 a first layer has no kernel; a depth is left out.
STAGES = (
    Stage(64, 2, (1, 3), BLOCKS[:3]),
    Stage(96, 1, (1, 2), BLOCKS),
    Stage(96, 2, (1,), BLOCKS[:2]),
)
SPACE = ChainSpace("tiny", Stem(32), (), STAGES, (), image_size=8)


@pytest.fixture(params=["madds", "parameters"])
def term(request):
    costs = count_chain(request.param, SPACE, 8, 10)
    low, high = costs.bounds()
    return ChainTargetTerm(Target(request.param, (low + high) / 2), costs, Method())


@pytest.fixture
def alphas():
    return Alphas(SPACE, 1.0, torch.Generator().manual_seed(1)).double()


def networks(p, q):
    """Every network with its chance: depths and candidates are drawn one by one."""
    stages = []
    for number, stage in enumerate(SPACE.stages):
        first = sum(one.depths[-1] for one in SPACE.stages[:number])
        layers = SPACE.layers_of(number)
        stages.append([])
        for depth in stage.depths:
            for names in itertools.product(*(layer.blocks for layer in layers[:depth])):
                chance = q[number][SPACE.depths.index(depth)]
                for index, name in enumerate(names):
                    chance *= p[first + index][SPACE.candidates.index(name)]
                stages[-1].append((chance, names))
    for picked in itertools.product(*stages):
        chances, names = zip(*picked, strict=True)
        yield chances[0] * chances[1] * chances[2], names


def test_the_expected_cost_is_the_mean_over_all_networks(term, alphas):
    """As many as the space says, with chances that sum to 1."""
    logits = {group: alphas.logits_of(group) for group in alphas.groups}
    p, q = (logits[group].softmax(dim=1).tolist() for group in ("layers", "depths"))
    found = list(networks(p, q))
    assert len(found) == SPACE.num_networks
    assert sum(chance for chance, _ in found) == pytest.approx(1, abs=1e-12)
    mean = sum(chance * term.costs.of(names) for chance, names in found)
    assert term.mean_cost(logits).item() == pytest.approx(mean, rel=1e-12)


def test_the_gradient_against_finite_differences(term, alphas):
    """Of every alpha that the space has."""
    values = [alphas[group] for group in alphas.groups]

    def cost(*tables):
        masked = {
            group: table.masked_fill(~alphas.mask(group), -1e4)
            for group, table in zip(alphas.groups, tables, strict=True)
        }
        return term.mean_cost(masked) / 1e4

    assert torch.autograd.gradcheck(cost, values, eps=1e-6, atol=1e-7)


def test_the_decoded_cost_is_that_of_the_network(term, alphas):
    chain = Method().decode(alphas, SPACE, PROGRESS)
    assert term.decoded(alphas, PROGRESS) == chain.count(term.target.quantity, 8, 10)


def test_the_expectation_follows_the_decision(term, alphas):
    """Strong alphas: the expected cost is the decoded one."""
    with torch.no_grad():
        for parameter in alphas.parameters():
            parameter.mul_(50)
    expected = term.expected(alphas, PROGRESS).item()
    assert expected == pytest.approx(term.decoded(alphas, PROGRESS), rel=0.2)


@pytest.mark.parametrize("share", [0.1, 0.8])
def test_the_term_moves_the_decoded_cost_to_the_target(share):
    """From both sides: steps of the term alone end within 5 % of it, in a space of many layers."""
    space = load_chain_space("mobilenext_chain_64")
    costs = count_chain("madds", space, 64, 10)
    low, high = costs.bounds()
    target = Target("madds", low + share * (high - low), warmup_epochs=0)
    term = ChainTargetTerm(target, costs, Method())
    alphas = Alphas(space, 0.1, torch.Generator().manual_seed(1))
    optimizer = torch.optim.Adam(alphas.parameters(), lr=0.02)
    assert abs(term.decoded(alphas, PROGRESS) / target.value - 1) > 0.15
    for _ in range(60):
        optimizer.zero_grad()
        term(alphas, PROGRESS).backward()
        optimizer.step()
    assert abs(term.decoded(alphas, PROGRESS) / target.value - 1) < 0.05


@pytest.mark.parametrize("value", [1.0, 1e9])
def test_a_target_outside_of_the_space_is_refused_with_its_ends(term, value):
    low, high = map(round, term.costs.bounds())
    with pytest.raises(ConfigError, match="but networks of space 'tiny' have ") as raised:
        ChainTargetTerm(Target(term.target.quantity, value), term.costs, Method())
    assert f"have {low} to {high} " in str(raised.value)


def test_a_latency(tmp_path):
    """From the table of the search, in milliseconds; a table of other images is refused."""
    path = tmp_path / "table.json"
    table = made_up(SPACE.at_size(8))
    path.write_text(table.to_json())
    low, high = table.costs(SPACE, 8, 10).bounds()
    target = Target("latency_ms", (low + high) / 2)
    config = SearchConfig(target=f"latency_ms={target.value}", latency_table=str(path))
    kind = kind_of(SPACE)
    term = kind.target(target, config, SimpleNamespace(image_shape=(3, 8, 8), num_classes=10), None)
    assert term.costs == table.costs(SPACE, 8, 10)
    with pytest.raises(ConfigError, match="latency_table: measured with image size 8"):
        other = SimpleNamespace(image_shape=(3, 16, 16), num_classes=10)
        kind.target(target, config, other, None)
    with pytest.raises(ConfigError, match=f"found 99, .* have {shown_range(low, high)} millisecon"):
        ChainTargetTerm(Target("latency_ms", 99), term.costs, Method())
