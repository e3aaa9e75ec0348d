"""The second stage of a search: pruned operators and wider edges, also after a resume."""

import json
import weakref
from dataclasses import dataclass

import pytest
import torch

from nas.config import SearchConfig
from nas.distributed.launch import Share
from nas.distributed.ranks import ALONE, Ranks
from nas.operators import resolve
from nas.runtime.compute import Compute
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.search.memory import estimate_stages
from nas.search.method import Method, Progress
from nas.search.methods.drnas import DrNas
from nas.search.network import build_network
from nas.search.projection import Choices, ProjectedMethod, Projector
from nas.search.stages import SecondStage, largest
from nas.space import load_space
from nas.supernet import Alphas
from tests.contract.test_methods import search_data, searcher_of
from tests.distributed.ranks import replace_norms, run_ranks

TWO_STAGES = DrNas(stages=2, channel_fraction=4, second_fraction=2, keep=2)
PRUNES_ONLY = DrNas(stages=2, keep=2)


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """Two nodes, so that a search takes a second."""
    path = tmp_path_factory.mktemp("space") / "small.yaml"
    path.write_text(
        "description: small\nnum_nodes: 2\n"
        "primitives: [max_pool_3x3, skip_connect, sep_conv_3x3, dil_conv_3x3]\n"
    )
    space = load_space(str(path))
    resolve(space)
    return space


@pytest.fixture(autouse=True)
def no_statistics(monkeypatch):
    """What only describes an epoch takes longer than the epoch."""
    monkeypatch.setattr("nas.search.epoch_record.evaluation_cost", lambda *_: (1, 1))


def searcher(space, path, method=TWO_STAGES, **settings):
    run = RunDirectory.open(path) if path.exists() else RunDirectory.create(path, {})
    return searcher_of("drnas", space, run, method=method, **settings)


class KilledError(Exception):
    """In place of a signal."""


def test_resumes_in_the_middle_of_the_second_stage(space, tmp_path):
    """Metrics, weights, momentum and alphas are bit for bit those of a run without a stop."""
    whole = searcher(space, tmp_path / "whole")
    whole.search()
    whole.run.__exit__()
    first = searcher(space, tmp_path / "parts")
    step_done = first.step_done

    def save_and_die():
        step_done()
        if (first.epoch, first.step_in_epoch) == (1, 1):
            first.save()
            raise KilledError

    first.step_done = save_and_die
    with pytest.raises(KilledError):
        first.search()
    first.run.__exit__()
    torch.manual_seed(99)
    second = searcher(space, tmp_path / "parts")
    second.resume()
    assert (second.epoch, second.step_in_epoch) == (1, 1)
    second.search()
    metrics = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "parts")]
    assert metrics[0] == metrics[1]
    one, two = whole.state_dict(), second.state_dict()
    for key in ("net", "alphas", "weight_optimizer", "alpha_optimizer", "method_generator"):
        check_equal(one[key], two[key])
    check_equal(one["method_state"], two["method_state"])


def check_equal(one, two):
    leaves = [torch.utils._pytree.tree_flatten(part) for part in (one, two)]
    assert leaves[0][1] == leaves[1][1]
    for a, b in zip(leaves[0][0], leaves[1][0], strict=True):
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def test_the_second_stage(space, tmp_path):
    """Two operators of four remain, do not run otherwise, and see twice the channels."""
    search = searcher(space, tmp_path / "run")
    genotype = search.search()
    assert search.method_state.start == 1
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["measures"]["stage"] for record in records] == [1, 2]
    for group in search.alphas.groups:
        kept, adam = search.alphas.kept(group), search.alpha_optimizer.state[search.alphas[group]]
        assert kept.sum(dim=1).tolist() == [2] * space.num_edges
        assert (search.alphas[group][~kept] == 0).all()
        assert (search.alphas[group][kept] != 0).all()
        assert (adam["exp_avg"][~kept] == 0).all()
        assert records[0]["entropy"][group] > records[1]["entropy"][group]
        for node, chosen in enumerate(getattr(genotype, group), start=2):
            for primitive, source in chosen:
                column = space.primitives.index(primitive)
                assert kept[space.edges.index((source, node)), column]
    convolutions = [space.primitives.index(name) for name in ("sep_conv_3x3", "dil_conv_3x3")]
    for cell in search.net.cells:
        for edge, kept in zip(cell.edges, search.alphas.kept(cell.cell_type), strict=True):
            for column in convolutions:
                norm = edge.mixed.operator(edge.mixed.columns.index(column))[-1]
                assert norm.num_features == cell.channels // 2
                # Two weight steps in each epoch.
                assert norm.num_batches_tracked == (4 if kept[column] else 2)


@pytest.mark.slow
def test_alphas_rest_at_the_start_of_both_stages(space, tmp_path):
    """They move in the second epoch of each, and pruning sets some to 0."""
    method = DrNas(stages=2, warmup_epochs=1, keep=3)
    search = searcher(space, tmp_path / "run", method, epochs=4)
    first = search.alphas.normal.detach().clone()
    after = []
    search.callbacks.append(lambda _: after.append(search.alphas.normal.detach().clone()))
    search.search()
    kept = search.alphas.kept("normal")
    assert torch.equal(after[0], first)
    assert (after[1] != first).all()
    assert torch.equal(after[2], after[1] * kept) and not kept.all()
    assert (after[3][kept] != after[2][kept]).all()


@dataclass(frozen=True)
class PrunedDarts(Method):
    """A method of a plug-in: DARTS that goes on with two operators an edge."""

    def make_state(self, searcher):
        return SecondStage(searcher, self, keep=2)

    def begin_epoch(self, searcher):
        if searcher.epoch == 1:
            searcher.method_state.begin()


@pytest.mark.slow
def test_another_method_prunes_too(space, tmp_path):
    search = searcher(space, tmp_path / "run", PrunedDarts())
    search.search()
    weights = search.distribution()["normal"]
    assert ((weights.ops > 0).sum(dim=1) == 2).all()
    assert [len(columns) for columns in weights.removed] == [2] * space.num_edges


@pytest.mark.parametrize("method", [PrunedDarts(), PRUNES_ONLY], ids=["darts", "drnas"])
def test_darts_pt_goes_on_without_the_pruned(space, tmp_path, method):
    """They are no candidates, and do not run on the edges that are still open."""
    search = searcher(space, tmp_path / "run", method)
    search.method_state.begin()
    choices = Choices(space, {})
    projector = Projector(
        method=ProjectedMethod(search.method, Progress(1, 2), choices),
        interval=1,
        by_loss=True,
        config=search.config,
        space=space,
        net=search.net,
        alphas=search.alphas,
        loss=search.loss,
        data=search.data,
        run=search.run,
    )
    pruned = search.alphas.removed("normal")
    decision = projector.decide_operator("normal", 0)
    columns = {space.primitives.index(name) for name in decision["without"]}
    assert len(columns) == 2 and not columns & pruned[0]
    choices.add(decision)
    weights = projector.distribution()["normal"]
    assert weights.removed[1:] == pruned[1:]
    chosen = space.primitives.index(decision["operator"])
    assert weights.removed[0] == frozenset(range(4)) - {chosen} > pruned[0]


@pytest.mark.slow
def test_the_estimate_is_that_of_the_larger_stage(space):
    """Four times the channels take more than the operators that are gone; no draw is used up."""
    data, compute = search_data(), Compute(torch.device("cpu"))
    config = SearchConfig(init_channels=4, num_cells=3, batch_size=4)
    peaks = []
    for method in (
        DrNas(channel_fraction=4),
        DrNas(stages=2, channel_fraction=4, keep=2),
        DrNas(),
        DrNas(stages=2, keep=2),
    ):
        net, alphas = build_network(config, space, data, method), Alphas(space)
        state = torch.get_rng_state()
        estimate = estimate_stages(config, space, net, alphas, method, data, compute)
        assert torch.equal(torch.get_rng_state(), state)
        peaks.append(estimate.peak_mib(4))
    partial, widened, whole, pruned = peaks
    assert partial < widened < whole == pruned


def test_largest():
    values = torch.tensor([[1.0, 3.0, 2.0, 9.0], [5.0, 5.0, 5.0, 9.0]])
    present = torch.tensor([[True, True, True, False], [True, True, True, True]])
    assert largest(values, present, 2).int().tolist() == [[0, 1, 1, 0], [1, 0, 0, 1]]
    assert largest(values, present, 4).equal(present)


@pytest.mark.parametrize("method", [TWO_STAGES, PRUNES_ONLY], ids=["widens", "prunes"])
def test_one_wrapper_at_a_time(space, tmp_path, method):
    """That of the first stage, which hooks the same parameters, is gone before the second one."""

    class Wrapper(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

    class WrappingRanks(Ranks):
        last = staticmethod(lambda: None)

        def parallel(self, net, *example, some_unused=False):
            assert self.last() is None
            wrapper = Wrapper(net)
            self.last = weakref.ref(wrapper)
            return wrapper

    run = SilentRunDirectory(tmp_path)
    search = searcher_of("drnas", space, run, method=method, ranks=WrappingRanks())
    first = search.ranks.last
    search.method_state.begin()
    assert first() is None is not search.ranks.last()


@pytest.mark.slow
@pytest.mark.parametrize("method", [TWO_STAGES, PRUNES_ONLY], ids=["widens", "prunes"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_ranks_equal_one_process(space, tmp_path, monkeypatch, method):
    """To 1e-9 in float64, with a BatchNorm over the whole batch in both stages."""

    def search(ranks, path):
        run = RunDirectory.create(path, {}) if ranks.is_first else SilentRunDirectory(path)
        share = Share(ranks.rank, ranks.size)
        search = searcher_of("drnas", space, run, method=method, ranks=ranks, share=share)
        if ranks.size > 1:
            replace_norms(search.net, ranks)
            monkeypatch.setattr(
                "nas.search.stages.build_network",
                lambda *parts: replace_norms(build_network(*parts), ranks),
            )
        search.search()
        return {"net": search.net.state_dict(), "alphas": search.alphas.state_dict()}

    one = search(ALONE, tmp_path / "one")
    for other in run_ranks(2, lambda ranks: search(ranks, tmp_path / "two"), tmp_path):
        for part, tensors in one.items():
            for key, value in tensors.items():
                torch.testing.assert_close(other[part][key], value, atol=1e-9, rtol=0)
