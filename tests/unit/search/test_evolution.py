"""Choices by test in the supernet: within the budget, the best of all, the same after a stop."""

import json
import random
import signal

import pytest

from nas.config import SearchConfig
from nas.distributed.launch import Share
from nas.errors import ConfigError, RunDirectoryError, SearchSpaceError
from nas.genotype.random_chains import Budget, RandomChains
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.search.assembly import Recipe
from nas.search.evolution import Evolution, RandomChoice
from nas.search.one_shot import OneShot
from nas.signals import Stopped
from nas.space import load_space
from nas.space.chain_cost import count_chain
from nas.supernet.chain import path_of
from tests.contract.test_chain_methods import SPACE, searcher_of
from tests.distributed.ranks import run_ranks
from tests.unit.genotype.test_random_chains import TINY, networks

MADDS = count_chain("madds", TINY)
MIDDLE = sum(MADDS.bounds()) / 2
NEAR = {"madds": Budget(MADDS, MIDDLE)}


def run(selection, drawn, measure, seed=0):
    """Return what was tested, in order."""
    tested = {}

    def once(network):
        assert network not in tested
        tested[network] = measure(network)
        return tested[network]

    selection.run(drawn, once, random.Random(seed))
    return tested


def fitness(network):
    """Add up what each choice is worth; only one network is best."""
    return sum(
        len(names) / 10 + sum(hash_of(number, i, name) for i, name in enumerate(names))
        for number, names in enumerate(network)
    )


def hash_of(*parts):
    return random.Random(repr(parts)).random()


@pytest.mark.parametrize(
    "selection",
    [RandomChoice(networks=400), Evolution(population=40, generations=10)],
    ids=["random", "evolution"],
)
@pytest.mark.parametrize("budgets", [{}, NEAR], ids=["all", "near"])
def test_enough_tests_find_the_best_of_all(selection, budgets):
    """Of the networks that were listed one by one, within 3 % of the budget."""
    meeting = [
        network
        for network in networks(TINY)
        if not budgets or abs(MADDS.of(network) / MIDDLE - 1) <= 0.03
    ]
    assert len(meeting) > 5
    tested = run(selection, RandomChains(TINY, budgets), fitness)
    assert set(tested) == set(meeting)
    assert max(tested, key=tested.get) == max(meeting, key=fitness)


def test_evolution_finds_the_best_with_few_tests():
    """On a sum of choices it needs fewer tests than networks; half of random choices miss it."""
    space = load_space("mobilenext_chain_64")
    drawn, best = RandomChains(space), 0.0
    for number, stage in enumerate(space.stages):
        layers = space.layers_of(number)
        worth = [max(hash_of(number, i, n) for n in x.blocks) for i, x in enumerate(layers)]
        best += max(depth / 10 + sum(worth[:depth]) for depth in stage.depths)
    found = run(Evolution(population=40, generations=40), drawn, fitness)
    at_random = run(RandomChoice(networks=len(found)), drawn, fitness)
    assert len(found) == 1600 < space.num_networks / 1e6
    assert max(at_random.values()) < 0.9 * best < 0.98 * best < max(found.values())


@pytest.mark.parametrize("seed", range(3))
def test_every_generation_is_new_and_within_the_budget(seed):
    """Whatever its parents; the same seed makes the same networks."""
    selection = Evolution(population=8, generations=3, top=2, mutation=0.5)
    drawn = RandomChains(TINY, NEAR)
    one, two = (run(selection, drawn, fitness, seed) for _ in range(2))
    assert list(one) == list(two) and 8 < len(one) <= 24
    assert all(abs(MADDS.of(network) / MIDDLE - 1) <= 0.03 for network in one)
    best = sorted(one, key=one.get, reverse=True)[:2]
    generation = list(selection.generation(drawn, best, set(one), random.Random(seed)))
    assert not set(generation) & set(one)


@pytest.mark.parametrize("selection", [RandomChoice(networks=9), Evolution(population=6)])
def test_what_was_found_is_tested_where_no_more_is_found(selection, monkeypatch):
    """A trained supernet is not lost where targets are rare; each is tested as it is found."""
    drawn, order = RandomChains(TINY), []
    rare = [network for network, _ in zip(networks(TINY), range(3), strict=False)]
    left = iter(rare)
    monkeypatch.setattr(drawn, "find", lambda generator: order.append("drawn") or next(left, None))
    monkeypatch.setattr(drawn, "meets", lambda network: network in rare)
    found = run(selection, drawn, lambda network: order.append("tested") or fitness(network))
    assert list(found) == rare
    assert order[:6] == ["drawn", "tested"] * 3


def searched(folder, **settings):
    searcher = searcher_of("uniform", RunDirectory.create(folder, {}), **settings)
    searcher.search()
    return searcher


ALL = RandomChoice(statistics_batches=2, networks=20)
FEW = Evolution(statistics_batches=1, population=2, generations=3, top=1)


def test_the_supernet_is_asked(tmp_path):
    """All networks of a chain are tested, and the best is that of a loop over the list."""
    searcher = searched(tmp_path / "run")
    chosen = ALL(searcher)
    one_shot = OneShot(searcher, 2)
    like = next(searcher.alphas.parameters())
    expected = {n: one_shot.accuracy(path_of(SPACE, n, like)) for n in networks(SPACE)}
    assert expected[chosen.stages] == max(expected.values())
    assert chosen.search == {
        "accuracy": max(expected.values()),
        "num_tested": len(expected),
        "seed": 0,
    }
    lines = (tmp_path / "run" / "selection" / "tested.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert {tuple(map(tuple, r["network"])): r["accuracy"] for r in records} == expected
    assert len(set(expected.values())) > 1


def test_stopped_and_resumed(tmp_path, monkeypatch):
    """What was tested is not tested again; file and choice are those of a run without a stop."""
    whole = FEW(searched(tmp_path / "whole"))
    parts = searched(tmp_path / "parts")
    measured = []
    original = OneShot.accuracy

    def accuracy(self, weights):
        measured.append(weights)
        if len(measured) == 3:
            signal.raise_signal(signal.SIGTERM)
        return original(self, weights)

    monkeypatch.setattr(OneShot, "accuracy", accuracy)
    with pytest.raises(Stopped, match="stopped in the selection after 2 of at most 6 networks"):
        FEW(parts)
    file = tmp_path / "parts" / "selection" / "tested.jsonl"
    with file.open("a") as stream:
        stream.write('{"network": [["sand')  # the line of a process that was killed
    resumed = FEW(parts)
    assert resumed == whole and resumed.search == whole.search
    assert len(measured) == whole.search["num_tested"] + 1
    assert file.read_bytes() == (tmp_path / "whole" / "selection" / "tested.jsonl").read_bytes()


@pytest.mark.parametrize("line", ["{", "[]", '{"network": [], "accuracy": "x"}', '{"network": 3}'])
def test_a_damaged_line_is_refused(line, tmp_path):
    """A whole one; only the last may be cut short, by a kill."""
    searcher = searched(tmp_path / "run")
    FEW(searcher)
    with (tmp_path / "run" / "selection" / "tested.jsonl").open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(RunDirectoryError, match=r"tested.jsonl: line 7 is damaged; remove the fi"):
        FEW(searcher)


def test_other_settings_are_refused_on_resume(tmp_path):
    """What is kept was measured with those of the first time."""
    searcher = searched(tmp_path / "run")
    FEW(searcher)
    object.__setattr__(searcher.config, "selection", "evolution,statistics_batches=2")
    with pytest.raises(RunDirectoryError, match="the selection was started as evolution, found"):
        FEW(searcher)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_processes_agree(tmp_path):
    """They choose the same network, and one of them writes."""

    def choose(ranks):
        path = tmp_path / "run"
        run = RunDirectory.create(path, {}) if ranks.is_first else SilentRunDirectory(path)
        searcher = searcher_of("uniform", run, ranks=ranks, share=Share(ranks.rank, ranks.size))
        searcher.search()
        chosen = FEW(searcher)
        return {"stages": chosen.stages, **chosen.search}

    one, two = run_ranks(2, choose, tmp_path)
    assert one == two
    lines = (tmp_path / "run" / "selection" / "tested.jsonl").read_text().splitlines()
    assert len(lines) == one["num_tested"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"space": "darts"}, SearchSpaceError, "evolution: space: found cell, which is of cells"),
        ({"method": "snas"}, ConfigError, "does not work with snas, which moves weights on all"),
        (
            {"stop": "eigenvalue", "monitor_eigenvalue": 2},
            ConfigError,
            "evolution: does not work with `stop`",
        ),
        ({"selection": "evolution,population=1"}, ConfigError, "population: expected 2 or more"),
        ({"selection": "evolution,mutation=0"}, ConfigError, "mutation: expected above 0, at most"),
        ({"selection": "random,val_batches=-1"}, ConfigError, "val_batches: expected 0 or more"),
    ],
)
def test_what_means_nothing_is_refused(settings, error, message):
    given = {"space": "mobilenext_chain_64", "selection": "evolution"} | settings
    with pytest.raises(error, match=message):
        Recipe.of(SearchConfig(**given), load_space(given["space"]))


def test_targets_that_no_network_meets_together(tmp_path, monkeypatch):
    """Said before the search, not after it."""
    monkeypatch.setattr("nas.genotype.random_chains.MAX_DRAWS", 500)
    searcher = searcher_of("uniform", RunDirectory.create(tmp_path / "run", {}))
    channels, size, _ = searcher.data.image_shape
    low, high = (
        count_chain(quantity, SPACE, size, 3, channels).bounds()[end]
        for quantity, end in (("madds", 0), ("parameters", 1))
    )
    object.__setattr__(searcher.config, "target", f"madds={low}+parameters={high}")
    with pytest.raises(ConfigError, match="were not within 3% of"):
        FEW.check_data(searcher.config, SPACE, searcher.data)
