"""The selection of DARTS-PT: decisions, what runs, resuming, ranks and refusals."""

import json

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.config import SearchConfig
from nas.distributed.launch import WHOLE, Share
from nas.distributed.ranks import ALONE
from nas.errors import ConfigError, RunDirectoryError
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.search.assembly import Recipe
from nas.search.method import Method, Progress
from nas.search.projection import Choices, ProjectedMethod, Projector, order_of
from nas.search.selections import check_not_begun
from nas.space import SearchSpace, load_space
from nas.supernet import Alphas, EdgeWeights, Supernet
from tests.contract.test_methods import search_data
from tests.distributed.ranks import run_ranks

PRIMITIVES = ("none", "skip_connect", "conv_3x3")
SETTINGS = {"interval": 2}


@pytest.fixture(scope="module")
def space():
    """Two nodes; one of them has three inputs. One edge has a single operator."""
    edges = (PRIMITIVES,) * 5
    return SearchSpace("small", 2, PRIMITIVES, (*edges[:4], ("none", "conv_3x3")), edges)


@pytest.fixture(autouse=True)
def _no_cost(monkeypatch):
    """Counting the evaluation network after every epoch takes most of the time, and is not ours."""
    monkeypatch.setattr("nas.search.epoch_record.evaluation_cost", lambda *arguments: (0, 0))


def projector_of(space, run, *, ranks=ALONE, share=WHOLE, interval=1):
    torch.manual_seed(0)
    net = Supernet(space, num_classes=3, init_channels=2, num_cells=3).double()
    num_rounds = len(order_of(space, 0)) // 2
    return Projector(
        method=ProjectedMethod(Method(), Progress(0, 1), Choices(space, SETTINGS)),
        interval=interval,
        by_loss=False,
        config=SearchConfig(epochs=(num_rounds - 1) * interval + 1, batch_size=4),
        space=space,
        net=net,
        alphas=Alphas(space, 0.1).double(),
        loss=cross_entropy,
        data=search_data(share),
        run=run,
        ranks=ranks,
    )


def test_the_order(space):
    """Every edge once, then every node with more than two inputs; the groups take turns."""
    order = order_of(load_space("darts"), 3)
    assert len(order) == 2 * (14 + 3)
    assert [place.group for place in order[:4]] == ["normal", "reduce"] * 2
    for group in ("normal", "reduce"):
        mine = [place for place in order if place.group == group]
        assert [place.kind for place in mine] == ["edge"] * 14 + ["node"] * 3
        assert sorted(place.number for place in mine[:14]) == list(range(14))
        assert sorted(place.number for place in mine[14:]) == [3, 4, 5]
    assert order == order_of(load_space("darts"), 3) != order_of(load_space("darts"), 4)


def test_decided_edges_are_one_hot_and_get_no_gradient(space):
    """Open edges keep their weights and gradients; a dropped edge weighs nothing."""
    choices = Choices(space, SETTINGS)
    choices.add({"group": "normal", "edge": 2, "operator": "skip_connect"})
    choices.add({"group": "normal", "edge": 3, "operator": "conv_3x3"})
    choices.add({"group": "normal", "node": 3, "kept_edges": [3, 4]})
    alphas = Alphas(space, 0.1)
    weights = choices.apply("normal", EdgeWeights(alphas.softmax("normal")))
    assert weights.ops[2].tolist() == [0, 0, 0] and weights.ops[3].tolist() == [0, 0, 1]
    assert torch.equal(weights.ops[0], alphas.softmax("normal")[0])
    assert weights.removed == (
        *(frozenset(),) * 2,
        frozenset({0, 1, 2}),
        frozenset({0, 1}),
        frozenset(),
    )
    weights.ops.square().sum().backward()
    assert alphas.normal.grad[2:4].abs().max() == 0 < alphas.normal.grad[0].abs().max()


@pytest.mark.parametrize("by_source", [True, False])
def test_removed_operators_do_not_run(space, by_source):
    """The output is that of weight 0, but the BatchNorms of a removed operator do not move."""
    torch.manual_seed(0)
    net = Supernet(space, num_classes=3, init_channels=2, num_cells=3, by_source=by_source).double()
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    ops = torch.full((5, 3), 0.5, dtype=torch.float64)
    ops[0] = 0
    expected = net(x, (ops, ops))
    net.zero_grad()
    removed = (frozenset({0, 1, 2}), *(frozenset(),) * 4)
    edge = net.cells[0].edges[0]
    before = [buffer.clone() for buffer in edge.buffers()]
    weights = EdgeWeights(ops, removed=removed)
    output = net(x, (weights, weights))
    torch.testing.assert_close(output, expected)
    assert all(map(torch.equal, before, edge.buffers())) and before
    output.sum().backward()
    assert all(parameter.grad is None for parameter in edge.parameters())


def test_measuring_changes_nothing(space, tmp_path):
    """Buffers and the random state are as before."""
    projector = projector_of(space, RunDirectory.create(tmp_path / "run", {}))
    before = {key: value.clone() for key, value in projector.net.state_dict().items()}
    random = torch.get_rng_state()
    decision = projector.decide_operator("normal", 0)
    assert list(decision["without"]) == ["skip_connect", "conv_3x3"]  # never none
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(v, before[k]) for k, v in projector.net.state_dict().items())


def test_a_whole_phase(space, tmp_path):
    """All is decided; the cells are what was decided, and the file holds every number."""
    projector = projector_of(space, RunDirectory.create(tmp_path / "run", {}))
    genotype = projector.search()
    decisions = json.loads((tmp_path / "run" / "decisions.json").read_text())
    assert decisions == projector.choices.decisions and len(decisions) == 2 * 6
    operators = {(d["group"], d["edge"]): d["operator"] for d in decisions if "edge" in d}
    for decision in decisions[-2:]:
        cell = getattr(genotype, decision["group"])
        expected = [(operators[decision["group"], e], e - 2) for e in decision["kept_edges"]]
        assert sorted(cell[1]) == sorted(expected)
        assert len(decision["without"]) == 3
    assert projector.history.records[-1]["measures"] == {"decided_edges": 10, "dropped_edges": 2}


def test_it_resumes_bit_for_bit(space, tmp_path):
    """Stopped in the middle of a decision and once more later, it ends with the same bytes."""
    whole = RunDirectory.create(tmp_path / "whole", {})
    projector_of(space, whole).search()
    parts = RunDirectory.create(tmp_path / "parts", {})
    for num_calls in (3, 7):
        part = projector_of(space, parts)
        torch.manual_seed(num_calls)
        part.resume()
        stop_at_call(part, num_calls)
        with pytest.raises(KeyboardInterrupt):
            part.search()
    last = projector_of(space, parts)
    last.resume()
    assert 0 < last.epoch < last.epochs
    last.search()
    for name in ("metrics.jsonl", "decisions.json"):
        assert (parts.path / name).read_bytes() == (whole.path / name).read_bytes()


def stop_at_call(projector, num_calls):
    """Save and die in the middle of measuring, as a signal makes a search do."""
    measure, calls = projector.measure_without, []

    def dying(*arguments):
        calls.append(arguments)
        if len(calls) == num_calls:
            projector.save()
            raise KeyboardInterrupt
        return measure(*arguments)

    projector.measure_without = dying


def test_other_settings_are_refused_on_resume(space):
    state = Choices(space, SETTINGS).state_dict()
    with pytest.raises(RunDirectoryError, match=r"resume: the selection was started with"):
        Choices(space, {"interval": 3}).load_state_dict(state)


def test_a_longer_search_after_the_selection_is_refused(tmp_path):
    """Its decisions were made for another supernet."""
    check_not_begun(tmp_path)
    (tmp_path / "selection").mkdir()
    (tmp_path / "selection" / "config.yaml").write_text("")
    with pytest.raises(RunDirectoryError, match=r"epochs: the selection of this run has begun"):
        check_not_begun(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_processes_agree(space, tmp_path):
    """Both decide the same, on the images of both, and end with the same alphas."""

    def work(ranks):
        run = (
            RunDirectory.create(tmp_path / "run", {})
            if ranks.is_first
            else SilentRunDirectory(tmp_path / "run")
        )
        share = Share(ranks.rank, ranks.size)
        projector = projector_of(space, run, ranks=ranks, share=share)
        cell = projector.search().to_text()
        return {"cell": cell, "decisions": projector.choices.decisions}

    one, two = run_ranks(2, work, tmp_path)
    assert one == two


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "gdas"}, "does not work with gdas, which runs one operator on each edge"),
        ({"method": "pc_darts"}, "does not work with pc_darts, which builds edges of another kind"),
        ({"method": "drnas,channel_fraction=2"}, "builds edges of another kind"),
        ({"stop": "skip_count"}, "does not work with `stop`"),
        ({"compile": "default"}, "needs compile off, found default"),
        ({"selection": "darts_pt,interval=0"}, "interval: expected 1 or more, found 0"),
        ({"selection": "darts_pt,criterion=acc"}, "expected accuracy or loss, found acc"),
        ({"selection": "darts_pt,learning_rate=0"}, "learning_rate: expected above 0, found 0"),
        ({"selection": "dart_pt"}, "did you mean 'darts_pt'"),
    ],
    ids=str,
)
def test_refusals(settings, message):
    """Before anything runs, with what does not fit."""
    with pytest.raises(ConfigError) as raised:
        config = SearchConfig(**{"selection": "darts_pt", **settings})
        Recipe.of(config, load_space("darts"))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "method", ["drnas", "drnas,stages=2", "drnas,stages=2,channel_fraction=4", "snas"]
)
def test_what_it_works_with(method):
    """Plain edges at the end of the search."""
    config = SearchConfig(method=method, selection="darts_pt")
    assert Recipe.of(config, load_space("darts")).selection is not None
