"""The Hessian of the alphas and DARTS-ES against the numbers of the authors' code, in float64."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.search.hessian import AlphaHessian, largest_eigenvalue
from nas.search.stops import EigenvalueGrows, local_averages
from nas.space import load_space
from nas.supernet import Alphas, EdgeWeights, Supernet
from tests.golden import fill
from tests.golden.test_darts import close

GOLDEN = fill.load("methods_regularised.json")
EIGENVALUES = {
    "0.1": lambda epoch: 0.1,
    "0.1 + 0.004*epoch": lambda epoch: 0.1 + 0.004 * epoch,
    "0.1*1.05**epoch": lambda epoch: 0.1 * 1.05**epoch,
    "0.1 if epoch < 30 else 0.3": lambda epoch: 0.1 if epoch < 30 else 0.3,
    "0.2 + 0.05*math.sin(epoch)": lambda epoch: 0.2 + 0.05 * math.sin(epoch),
    "0.3 - 0.004*epoch": lambda epoch: 0.3 - 0.004 * epoch,
}
"""The rules of the file, by their text."""


def hessian_of(case):
    space = load_space({"s5": "darts"}.get(case["space"], case["space"]))
    net = Supernet(space, init_channels=case["init_channels"], num_cells=case["num_cells"])
    alphas = fill.fill_alphas(Alphas(space))
    return AlphaHessian(
        fill.fill_weights(net),
        alphas,
        cross_entropy,
        fill.batch(case["batch"], case["batch"]),
        arch_weights=lambda: {g: EdgeWeights(alphas.softmax(g)) for g in alphas.groups},
    )


def dominant(hessian, **settings):
    start = torch.randn(hessian.size, generator=torch.Generator().manual_seed(0))
    return largest_eigenvalue(hessian.__matmul__, start.double(), **settings)


@pytest.mark.slow
def test_the_exact_hessian():
    """All 56 eigenvalues, the first row and the trace agree; the weights are untouched."""
    case = GOLDEN["hessian"][0]
    hessian = hessian_of(case)
    before = {key: value.clone() for key, value in hessian.net.state_dict().items()}
    matrix = hessian.exact()
    close(matrix[0, : len(case["hessian_row_0"])], case["hessian_row_0"])
    close(torch.linalg.eigvalsh(matrix).flip(0), case["eigenvalues"])
    close(matrix.trace(), case["trace"])
    ends = torch.linalg.eigvalsh(matrix)[[0, -1]]
    close(ends, [case["smallest_eigenvalue"], case["largest_eigenvalue"]])
    close(ends.abs().max(), case["largest_abs_eigenvalue"])
    close(hessian._kept.norm(), case["alpha_gradient_norm"])
    close(matrix.norm(), case["frobenius_norm"])
    for key, value in hessian.net.state_dict().items():
        assert torch.equal(value, before[key]), f"{key} changed"


def test_lanczos_finds_the_largest_algebraic_one():
    """On S2 the most negative eigenvalue is the larger one; it is not taken."""
    case = GOLDEN["hessian"][0]
    hessian = hessian_of(case)
    first = torch.eye(hessian.size, dtype=torch.float64)[0]
    row = case["hessian_row_0"]
    close((hessian @ first)[: len(row)], row)
    eigenvalue = dominant(hessian, num_products=56, tolerance=1e-5)
    assert eigenvalue.value == pytest.approx(case["largest_eigenvalue"], rel=1e-8)
    assert eigenvalue.value + case["arch_weight_decay_in_the_reference"] == pytest.approx(
        case["dominant_eigenvalue_as_the_reference"], rel=1e-8
    )


@pytest.mark.slow
def test_the_space_of_darts():
    """224 alphas: Lanczos, the largest and the smallest eigenvalues of the whole matrix."""
    case = GOLDEN["hessian"][1]
    hessian = hessian_of(case)
    eigenvalue = dominant(hessian, num_products=120, tolerance=1e-10)
    assert eigenvalue.value == pytest.approx(case["largest_eigenvalue"], rel=1e-8)
    matrix = hessian.exact()
    values = torch.linalg.eigvalsh(matrix).flip(0)
    close(torch.cat([values[:12], values[-6:]]), case["eigenvalues"])
    close(matrix[0, : len(case["hessian_row_0"])], case["hessian_row_0"])


@pytest.mark.parametrize("case", GOLDEN["stopping_rule"], ids=lambda c: c["ev_of_epoch"])
def test_the_stop(case):
    """Averages, the decision and the epoch whose cell is kept; no decision before its epoch."""
    epochs = [*range(0, 50, 2), 49]
    values = [EIGENVALUES[case["ev_of_epoch"]](epoch) for epoch in epochs]
    decided = case["stop_decided_at"]
    rule = EigenvalueGrows(factor=case["factor"])
    records = []
    for epoch, value in zip(epochs, values, strict=True):
        records.append({"epoch": epoch, "measures": {"eigenvalue": value}})
        stop = rule(records)
        if epoch == decided:
            assert stop is not None and stop.epoch == case["stop_epoch"]
            assert str(stop.epoch) in stop.reason
            break
        assert stop is None
    averages = local_averages(values[: len(records)], 5)
    for epoch, ratio in case["ratios"]:
        current = epoch // 2 - 2  # the newest average with a whole window
        assert averages[current] / averages[current - 4] == pytest.approx(ratio, rel=1e-8)
    expected = case["local_averages"]  # without those of the end, where a stop came first
    assert averages[: len(expected)] == pytest.approx(expected, rel=1e-8)
