"""The steps of searches on a GPU that does not exist: devices, and what the host waits for."""

import pytest
import torch

from nas.config.network_size import NetworkSize
from nas.config.target import Target
from nas.models.cost import count_costs
from nas.operators import list_operators
from nas.runtime.run_directory import RunDirectory
from nas.search.chain_target import ChainTargetTerm
from nas.search.method import Method, Progress
from nas.search.monitors import DominantEigenvalue, Margin, measure_all
from nas.search.one_shot import OneShot
from nas.search.projection import Choices, ProjectedMethod, Projector
from nas.search.target import TargetTerm
from nas.search.terms import BetaDecay
from nas.space.chain_cost import count_chain
from nas.supernet import Alphas
from nas.supernet.chain import path_of
from tests.contract.test_chain_methods import SEARCH_CHAINS
from tests.contract.test_methods import method_of, searching_methods
from tests.gpu.fake import GPU, Wait, fake_gpu
from tests.gpu.searches import (
    NUM_STEPS,
    SIZES,
    searcher_on_gpu,
    small_space,
    space_of,
    waits_of_steps,
)

CHECK = Wait("copy to the host", "finite._check")
"""The planned wait of a step: whether its numbers are finite."""
MORE = {
    "gdas": [
        Wait("copy to the host", "sampling.to_host")
    ],  # the host runs the drawn operators only
    "drnas": 2 * [Wait("copy to the host", "dirichlet.sample_dirichlet")],  # and draws there
}
"""What methods wait for besides, and why."""
ON_CELLS = [("cell", name) for name in searching_methods()]
ON_CHAINS = [("chain", name) for name in SEARCH_CHAINS]
ON_EVERY_EDGE = [("nasbench201", name) for name in searching_methods("nasbench201")]


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "run", {})


def waits(run, name="darts", space=None, **settings):
    """The waits of each step of an epoch but the first."""
    space = space or small_space("cell")
    with fake_gpu() as gpu:
        searcher = searcher_on_gpu(name, space, run, **settings)
        searcher.epoch = 1  # in which no method rests
        steps = waits_of_steps(gpu, searcher, searcher._train)
    assert len(steps) == NUM_STEPS - 1
    return steps


@pytest.mark.parametrize(("family", "name"), ON_CELLS + ON_CHAINS + ON_EVERY_EDGE)
def test_a_step_of_a_method_waits_once(run, family, name):
    """Everything is on the GPU, and nothing but the check and what is planned waits for it."""
    for step in waits(run, name, small_space(family)):
        assert sorted(step) == sorted([CHECK, *MORE.get(name, [])])


@pytest.mark.parametrize(
    ("reference", "similarity", "num_means"), [("true", 0.0, [1, 0]), ("false", 1.0, [1, 1])]
)
def test_operators_are_frozen_on_the_host(run, reference, similarity, num_means):
    """Which waits once in `steps` steps, with `reference` in `steps` + 1; steps go on without."""
    name = f"oles,steps=1,reference={reference}"
    with fake_gpu() as gpu:
        searcher = searcher_on_gpu(name, small_space("cell"), run)
        gpu.number = similarity
        steps = waits_of_steps(gpu, searcher, searcher._train)
    means = Wait("copy to the host", "oles.compare")
    assert [sorted(step) for step in steps] == [[CHECK, *n * [means]] for n in num_means]
    assert set(searcher.method_state.frozen.values()) == {similarity < 0.4}


@pytest.mark.slow
def test_a_step_with_every_operator(run):
    """All registered operators on an edge, in micro-batches and with a term."""
    space = space_of(tuple(list_operators()))
    assert waits(run, space=space, micro_batch=2, terms=[BetaDecay()]) == (NUM_STEPS - 1) * [
        [CHECK]
    ]


@pytest.mark.parametrize(
    "order", ["second_order", pytest.param("second_order_exact", marks=pytest.mark.slow)]
)
def test_a_step_of_the_second_order(run, order):
    """The virtual step and the finite difference wait for nothing."""
    assert waits(run, order=order) == (NUM_STEPS - 1) * [[CHECK]]


@pytest.mark.parametrize(
    ("family", "name"), [("cell", "darts"), ("chain", "darts"), ("chain", "gdas")]
)
def test_a_step_with_a_target(run, family, name):
    """The cost of the network is known on the host: the strengths go there twice."""
    space = small_space(family)
    if family == "cell":
        costs = count_costs("madds", space, (3, 16, 16), 3, NetworkSize(4, 3))
        kind, at = TargetTerm, ("target.logits", "decode._decode")
    else:
        costs = count_chain("madds", space, 32, 3)
        kind, at = ChainTargetTerm, ("chain_target.logits", "decode._strongest")
    term = kind(Target("madds", sum(costs.bounds()) / 2), costs, method_of(name))
    more = [*MORE.get(name, []), *(Wait("copy to the host", where) for where in at)]
    for step in waits(run, name, space, terms=[term]):
        assert sorted(step) == sorted([CHECK, *more])


@pytest.mark.parametrize("family", SIZES)
def test_decoding_waits_once(family):
    """For the strengths of all groups together."""
    space = small_space(family)
    with fake_gpu() as gpu:
        alphas = Alphas(space).to(GPU)
        with gpu.counted() as found:
            Method().decode(alphas, space, Progress(0, 2))
    assert [wait.what for wait in found] == ["copy to the host"]


def test_one_shot_accuracies_wait_at_their_end(run):
    """Running statistics and measurement of a network: nothing is read but its accuracy."""
    with fake_gpu() as gpu:
        searcher = searcher_on_gpu("uniform", small_space("chain"), run)
        one_shot = OneShot(searcher, statistics_batches=2)
        blocks = searcher.space.candidates
        for stages in ((blocks[:1], blocks), (blocks, blocks)):
            with gpu.counted() as found:
                weights = path_of(searcher.space, stages, like=searcher.alphas["layers"])
                one_shot.accuracy(weights)
    assert found == [Wait("read", "meter.accuracy")]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def test_a_step_in_half_precision(run, dtype, monkeypatch):
    """bf16 waits once; with fp16 torch's loss scaler asks before each of the two optimizers."""
    seen = set()

    def loss(logits, targets):
        seen.add(logits.dtype)
        return torch.nn.functional.cross_entropy(logits, targets)

    monkeypatch.setattr("tests.gpu.searches.cross_entropy", loss)
    scaler = [] if dtype is torch.bfloat16 else 2 * ["grad_scaler._maybe_opt_step"]
    for step in waits(run, dtype=dtype):
        assert CHECK in step and len(step) == 1 + len(scaler)
    assert seen == {dtype}


def test_steps_that_may_be_left_out_wait_twice(run):
    """Whether to take a step is known before it is taken."""
    assert waits(run, non_finite="skip") == (NUM_STEPS - 1) * [[CHECK, CHECK]]


def test_the_end_of_an_epoch(run):
    """Measuring does not wait between batches; what is recorded comes from one device."""
    with fake_gpu() as gpu:
        searcher = searcher_on_gpu("darts", small_space("cell"), run)
        searcher._train()
        with gpu.counted() as found:
            meter = searcher._measure()
        assert found == []
        assert meter.loss == 1.0
        searcher.monitors = (Margin(), DominantEigenvalue(num_products=2))
        assert {"margin/normal", "eigenvalue"} <= measure_all(searcher).keys()
        assert len(searcher.norms()) == 2
        weights = searcher.distribution()
        assert searcher.method.entropy(searcher.alphas, weights).keys() == {"normal", "reduce"}
        searcher.method.decode(searcher.alphas, searcher.space, Progress(0, 2))


@pytest.mark.slow
def test_a_step_of_darts_pt(run):
    """An edge is decided between steps; a step of tuning waits once."""
    with fake_gpu() as gpu:
        first = searcher_on_gpu("darts", small_space("cell"), run)
        choices = Choices(first.space, {})
        projector = Projector(
            method=ProjectedMethod(first.method, Progress(1, 2), choices),
            interval=1,
            by_loss=True,
            config=first.config,
            space=first.space,
            net=first.net,
            alphas=first.alphas,
            loss=first.loss,
            data=first.data,
            run=run,
            compute=first.compute,
        )
        choices.add(projector.decide_operator("normal", 1))
        steps = waits_of_steps(gpu, projector, projector._train)
    assert steps == (NUM_STEPS - 1) * [[CHECK]]
