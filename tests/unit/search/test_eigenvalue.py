"""The eigenvalue monitor: Lanczos on known matrices, and a search that it does not change."""

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.runtime.compute import Compute
from nas.runtime.run_directory import RunDirectory
from nas.search.assembly import Recipe
from nas.search.hessian import AlphaHessian, largest_eigenvalue
from nas.search.monitors import DominantEigenvalue
from nas.space import load_space
from tests.contract.test_methods import searcher_of
from tests.distributed.ranks import run_ranks


def symmetric(values, seed=0):
    generator = torch.Generator().manual_seed(seed)
    size = len(values)
    random = torch.randn(size, size, generator=generator, dtype=torch.float64)
    basis = torch.linalg.qr(random).Q
    return basis @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ basis.T


def start(size):
    return torch.randn(size, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize(
    "values",
    [
        [3.0, 1.0, 0.5, -4.0],
        [-1.0, -2.0, -3.0],
        [2.0, 2.0, 2.0, -1.0, 0.0],
        [0.0, 0.0, 0.0],
        [1e-9, -1.0, *[-0.5] * 20],
        [5.0],
    ],
    ids=str,
)
def test_lanczos(values):
    """The largest, however large the negative ones, with eigenvalues that repeat, or all zero."""
    matrix = symmetric(values)
    largest = largest_eigenvalue(matrix.__matmul__, start(len(values)), tolerance=0)
    assert largest.value == pytest.approx(max(values), abs=1e-12)


def test_it_stops_when_it_is_good_enough():
    """Fewer products than entries; the error is within the residual that is returned."""
    values = torch.linspace(-1, 1, 300).tolist() + [1.5]
    matrix, calls = symmetric(values), []

    def product(vector):
        calls.append(vector)
        return matrix @ vector

    largest = largest_eigenvalue(product, start(301), tolerance=1e-3)
    assert len(calls) < 40
    assert abs(largest.value - 1.5) <= largest.residual <= 1e-3 * 1.5
    assert largest_eigenvalue(product, start(301), num_products=3).residual > 1e-3


@pytest.fixture(scope="module")
def space():
    return load_space("mixed_edges")


def test_it_changes_nothing(space, tmp_path):
    """Weights, running statistics, alphas, mode and random state are as before."""
    searcher = searcher_of("darts", space, RunDirectory.create(tmp_path / "run", {}))
    searcher.net.eval()
    before = copy.deepcopy([searcher.net.state_dict(), searcher.alphas.state_dict()])
    random = torch.get_rng_state()
    monitor = DominantEigenvalue(every=5)
    assert monitor(searcher).keys() == {"eigenvalue"}
    assert torch.equal(random, torch.get_rng_state()) and not searcher.net.training
    for old, module in zip(before, (searcher.net, searcher.alphas), strict=True):
        for key, value in module.state_dict().items():
            assert torch.equal(value, old[key]), key
    assert all(weight.grad is None for weight in searcher.net.parameters())


def test_the_epochs_that_are_due(space, tmp_path):
    """Every third one, and the last one although it is not due."""
    searcher = searcher_of("darts", space, RunDirectory.create(tmp_path / "run", {}), epochs=5)
    monitor = DominantEigenvalue(every=3, num_products=1)
    measured = []
    for searcher.epoch in range(5):
        measured += [searcher.epoch] if monitor(searcher) else []
    assert measured == [0, 3, 4]


def hessian_of(searcher, compute=None, images=4):
    batch = next(iter(searcher.data.measure_loader(0)))
    return AlphaHessian(
        searcher.net,
        searcher.alphas,
        cross_entropy,
        (batch[0][:images], batch[1][:images]),
        arch_weights=lambda: searcher.method.arch_weights(searcher.alphas, searcher.progress, None),
        compute=compute,
        ranks=searcher.ranks,
    )


def test_micro_batches(space, tmp_path):
    """The Hessian is the mean of those of the micro-batches, each with its own statistics."""
    searcher = searcher_of("pc_darts", space, RunDirectory.create(tmp_path / "run", {}))
    vector = start(hessian_of(searcher).size)
    pieces = hessian_of(searcher, Compute(torch.device("cpu"), micro_batch=2))
    halves = []
    images, targets = next(iter(searcher.data.measure_loader(0)))
    for part in ((images[:2], targets[:2]), (images[2:4], targets[2:4])):
        half = hessian_of(searcher, images=2)
        half._kept = half._gradient(part, 1.0)
        halves.append(half @ vector)
    torch.testing.assert_close(pieces @ vector, sum(halves) / 2)
    assert (halves[0] - halves[1]).abs().max() > 1e-6


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_processes_measure_the_mean(space, tmp_path):
    """Each computes its half of the images; both end with the Hessian of the mean loss."""
    whole = searcher_of("darts", space, RunDirectory.create(tmp_path / "run", {}))
    vector = start(hessian_of(whole).size)
    images, targets = next(iter(whole.data.measure_loader(0)))
    halves = []
    for part in ((images[:2], targets[:2]), (images[2:4], targets[2:4])):
        half = hessian_of(whole)
        half._kept = half._gradient(part, 1.0)
        halves.append(half @ vector)

    def work(ranks):
        hessian = hessian_of(whole)
        hessian.ranks = ranks
        rows = slice(2 * ranks.rank, 2 * ranks.rank + 2)
        hessian._kept = hessian._gradient((images[rows], targets[rows]), 1.0)
        return hessian @ vector

    one, two = run_ranks(2, work, tmp_path)
    assert torch.equal(one, two)
    torch.testing.assert_close(one, sum(halves) / 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "bf16"}, "monitor: eigenvalue: needs precision fp32, found bf16"),
        ({"compile": "default"}, "monitor: eigenvalue: needs compile off, found default"),
        ({"method": "gdas"}, "monitor: eigenvalue: does not work with gdas"),
        ({"monitor": "eigenvalue"}, "monitor_eigenvalue: `monitor` names eigenvalue too"),
        (
            {"monitor_eigenvalue": 0, "monitor": "eigenvalue+eigenvalue,every=3"},
            "monitor: eigenvalue is there twice; give one of them",
        ),
        ({"monitor_eigenvalue": 0, "stop": "eigenvalue"}, "add `monitor_eigenvalue` 2"),
        ({"stop": "eigenvalue,window=4"}, "window: expected an odd number from 1 on, found 4"),
        ({"stop": "eigenvalue,factor=1"}, "factor: expected above 1, found 1"),
        ({"stop": "eigenvalue,delta=0"}, "delta: expected 1 or more, found 0"),
    ],
    ids=str,
)
def test_refusals(settings, message):
    """Before anything runs, with the setting and what to do."""
    with pytest.raises(ConfigError) as raised:
        config = SearchConfig(**{"monitor_eigenvalue": 2, **settings})
        Recipe.of(config, load_space("darts"))
    assert message in str(raised.value)


def test_the_short_form_is_the_monitor():
    """`monitor_eigenvalue` joins the other monitors."""
    config = SearchConfig(monitor="margin", monitor_eigenvalue=3, stop="eigenvalue")
    recipe = Recipe.of(config, load_space("darts"))
    assert recipe.monitors[1] == DominantEigenvalue(every=3)
    assert SearchConfig().all_monitors is None
