"""A frontier: each target ends as a search of it alone, and all are measured in one supernet."""

import json
import signal

import pytest

from nas.config import SearchConfig
from nas.errors import ConfigError, RunDirectoryError, SearchSpaceError
from nas.genotype import load_chain
from nas.genotype.frontier import read_frontier
from nas.search.frontier import search_frontier
from nas.search.one_shot import OneShot
from nas.search.run import search
from nas.search.searcher import Searcher
from nas.signals import Stopped
from nas.space.chain_cost import count_chain

SPACE = """family: chain
image_size: 16
stem: {width: 8, stride: 2}
candidates: [{block: sandglass, ratio: [2, 4], kernel: [3, 5]}]
depths: [1, 2]
stages: [{width: 16, stride: 2}, {width: 32, stride: 2}]
"""
DATA = {"dataset": "shapes", "image_size": 16, "max_images": 32, "batch_size": 8, "device": "cpu"}
TARGETS = "madds=62e3,70e3"
UNIFORM = {"method": "uniform", "selection": "random,networks=4,statistics_batches=1", "epochs": 2}
GDAS = {"method": "gdas", "epochs": 3, "alpha_learning_rate": 0.1}


@pytest.fixture
def config_of(tmp_path):
    """Make settings of a run in the folder of the test."""
    (tmp_path / "mine.yaml").write_text(SPACE)

    def make(name, **settings):
        of_run = {"out": str(tmp_path / name), "space": str(tmp_path / "mine.yaml")}
        return SearchConfig(**DATA | of_run | settings)

    return make


def test_one_supernet_and_a_choice_for_each_target(config_of, tmp_path):
    """The accuracies are those that the selections measured; costs are near to the targets."""
    result = search_frontier(config_of("run", **UNIFORM, targets="madds=70e3,62e3"))
    frontier = read_frontier(tmp_path / "run" / "frontier.json")
    assert frontier == result.frontier
    assert [point.name for point in frontier.networks] == ["madds_62000", "madds_70000"]
    for point, chain in zip(frontier.networks, result.networks, strict=True):
        written = load_chain(tmp_path / "run" / point.name)
        assert written == chain and written.search["target"] == f"madds={point.target:.0f}"
        assert written.search["selection"]["accuracy"] == point.accuracy
        count = count_chain("madds", chain.space, 16, 10).of(chain.stages)
        assert count == point.cost == point.madds and abs(count / point.target - 1) <= 0.03
    assert frontier.supernet["epochs"] == 2
    assert all(point.accuracy is None for point in frontier.references)


def test_a_target_ends_as_a_search_of_it_alone(config_of, tmp_path):
    """The epochs without the term are common; alphas and network are the same, bit for bit.

    Epochs cannot be changed afterwards.
    """
    search_frontier(config_of("run", **GDAS, targets=TARGETS))
    search(config_of("alone", **GDAS, target="madds=70e3"))
    lines = [
        [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        for path in (tmp_path / "run", tmp_path / "run" / "madds_70000", tmp_path / "alone")
    ]
    common, continued, alone = lines
    assert common == continued[:1] and len(continued) == 3
    assert continued[0]["alphas"] == alone[0]["alphas"] and continued[1:] == alone[1:]
    one, other = (load_chain(tmp_path / run) for run in ("run/madds_70000", "alone"))
    assert one == other and one.search["alphas"] == other.search["alphas"]
    again = config_of("run", **GDAS | {"epochs": 4}, targets=TARGETS, resume=True)
    with pytest.raises(RunDirectoryError, match=r"epochs: found 4, but .*madds_62000 was begun w"):
        search_frontier(again)


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        pytest.param(UNIFORM, ("test", 6), id="in_a_selection"),
        *(
            pytest.param(GDAS, place, id=name, marks=pytest.mark.slow)
            for name, place in (
                ("in_common", ("check", 3)),
                ("in_a_target", ("check", 12)),
                ("in_the_end", ("test", 2)),
            )
        ),
    ],
)
def test_stopped_and_resumed(config_of, tmp_path, monkeypatch, settings, place):
    """Wherever: the same bytes as without a stop."""
    search_frontier(config_of("whole", **settings, targets=TARGETS))
    with monkeypatch.context() as context:
        stop_at(context, *place)
        with pytest.raises(Stopped, match=f"continue with `resume` `out` {tmp_path / 'parts'}$"):
            search_frontier(config_of("parts", **settings, targets=TARGETS))
    assert not (tmp_path / "parts" / "frontier.json").exists()
    search_frontier(config_of("parts", **settings, targets=TARGETS, resume=True))
    for name in ("frontier.json", "metrics.jsonl", "madds_62000/network.json"):
        whole, parts = ((tmp_path / run / name).read_bytes() for run in ("whole", "parts"))
        assert whole == parts


def stop_at(monkeypatch, what, number):
    """Let a SIGTERM arrive at the n-th test of a network, or the n-th look for one in a loop."""
    kind, name = {"test": (OneShot, "accuracy"), "check": (Searcher, "check_stop")}[what]
    original, calls = getattr(kind, name), []

    def call(self, *given):
        calls.append(given)
        if len(calls) == number:
            signal.raise_signal(signal.SIGTERM)
        return original(self, *given)

    monkeypatch.setattr(kind, name, call)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"targets": "madds=62e3,9e9"}, ConfigError, "madds: found 9e"),
        ({"targets": TARGETS, "space": "darts"}, SearchSpaceError, "targets: space: found cell"),
        ({"targets": f"{TARGETS},warmup_epochs=2", "epochs": 2}, ConfigError, "would never act"),
        ({"targets": f"{TARGETS},warmup_epochs=2", **UNIFORM}, ConfigError, "has no alpha loss"),
        ({"targets": f"{TARGETS},weight=2", **UNIFORM}, ConfigError, "has no alpha loss"),
        (
            {"targets": TARGETS, "stop": "eigenvalue", "monitor_eigenvalue": 1},
            ConfigError,
            "stop: does not work with `targets`",
        ),
    ],
)
def test_what_means_nothing_is_refused(config_of, tmp_path, settings, error, message):
    """Before anything is written."""
    with pytest.raises(error, match=message):
        search_frontier(config_of("run", **settings))
    assert not (tmp_path / "run").exists()


def test_a_search_of_one_network_refuses_several_targets(config_of):
    with pytest.raises(ConfigError, match="targets: this is a search of one network; give one"):
        search(config_of("run", **GDAS, targets=TARGETS))


def test_several_processes_are_refused(config_of, monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="targets: found several processes, but the targets"):
        search_frontier(config_of("run", **GDAS, targets=TARGETS))
