"""The steps of searches on a GPU that does not exist: devices, and what the host waits for."""

import pytest
import torch

from nas.config.network_size import NetworkSize
from nas.config.target import Target
from nas.models.cost import count_costs
from nas.operators import list_operators, resolve
from nas.runtime.run_directory import RunDirectory
from nas.search.method import Method, Progress
from nas.search.monitors import DominantEigenvalue, Margin, measure_all
from nas.search.projection import Choices, ProjectedMethod, Projector
from nas.search.target import TargetTerm
from nas.search.terms import BetaDecay
from nas.space import SearchSpace
from tests.contract.test_methods import searching_methods
from tests.gpu.fake import Wait, fake_gpu
from tests.gpu.searches import NUM_STEPS, searcher_on_gpu, waits_of_steps

CHECK = Wait("copy to the host", "finite._check")
"""The planned wait of a step: whether its numbers are finite."""
MORE = {
    "gdas": [
        Wait("copy to the host", "sampling.to_host")
    ],  # the host runs the drawn operators only
    "drnas": 2 * [Wait("copy to the host", "dirichlet.sample_dirichlet")],  # and draws there
}
"""What methods wait for besides, and why."""
SMALL = ("none", "skip_connect", "max_pool_3x3", "sep_conv_3x3")


def space_of(primitives):
    edges = (primitives,) * 5
    space = SearchSpace("tiny", 2, primitives, normal=edges, reduce=edges)
    resolve(space)
    return space


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "run", {})


def waits(run, name="darts", space=None, **settings):
    """The waits of each step of an epoch but the first."""
    space = space or space_of(SMALL)
    with fake_gpu() as gpu:
        searcher = searcher_on_gpu(name, space, run, **settings)
        searcher.epoch = 1  # in which no method rests
        steps = waits_of_steps(gpu, searcher, searcher._train)
    assert len(steps) == NUM_STEPS - 1
    return steps


@pytest.mark.parametrize("name", searching_methods())
def test_a_step_of_a_method_waits_once(run, name):
    """Everything is on the GPU, and nothing but the check and what is planned waits for it."""
    for step in waits(run, name):
        assert sorted(step) == sorted([CHECK, *MORE.get(name, [])])


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


def test_a_step_with_a_target(run):
    """The cost of the cells is known on the host: the strengths go there twice."""
    costs = count_costs("madds", space_of(SMALL), (3, 16, 16), 3, NetworkSize(4, 3))
    term = TargetTerm(Target("madds", sum(costs.bounds()) / 2), costs, Method())
    more = [Wait("copy to the host", "target.logits"), Wait("copy to the host", "decode._decode")]
    for step in waits(run, terms=[term]):
        assert sorted(step) == sorted([CHECK, *more])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def test_a_step_in_half_precision(run, dtype):
    """bf16 waits once; with fp16 torch's loss scaler asks before each of the two optimizers."""
    scaler = [] if dtype is torch.bfloat16 else 2 * ["grad_scaler._maybe_opt_step"]
    for step in waits(run, dtype=dtype):
        assert CHECK in step and len(step) == 1 + len(scaler)


def test_steps_that_may_be_left_out_wait_twice(run):
    """Whether to take a step is known before it is taken."""
    assert waits(run, non_finite="skip") == (NUM_STEPS - 1) * [[CHECK, CHECK]]


def test_the_end_of_an_epoch(run):
    """Measuring does not wait between batches; what is recorded comes from one device."""
    with fake_gpu() as gpu:
        searcher = searcher_on_gpu("darts", space_of(SMALL), run)
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
        first = searcher_on_gpu("darts", space_of(SMALL), run)
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
