"""ReinMax and published cells against the numbers of their authors' code, in float64."""

import pytest
import torch

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.genotype import published_genotypes
from nas.search.method import Progress
from nas.search.methods.gdas import Gdas
from nas.space import load_space
from tests.golden import fill
from tests.golden.test_darts import close, genotype_of
from tests.golden.test_methods import GOLDEN, GROUPS, MEASURING, filled_alphas, noise_of
from tests.golden.test_regularized_methods import check_size

OF_FILE = GOLDEN["gdas"]["darts_supernet"][0]


class TestReinMax:
    @pytest.mark.parametrize("case", GOLDEN["reinmax"]["sampler"], ids=lambda c: c["tau"])
    def test_sampler(self, case):
        """The draw, the softmax and the gradient agree at every temperature."""
        tau = case["tau"]
        method = Gdas(tau_max=tau, tau_min=tau, sampler="reinmax")
        alphas = filled_alphas(method, load_space("darts"), OF_FILE)
        weights = method.arch_weights(alphas, MEASURING, noise_of(OF_FILE["noise"]))
        for group in GROUPS:
            expected, ops = case[group], weights[group].ops
            assert list(weights[group].chosen) == expected["selected"]
            close(method.distribution(alphas, MEASURING)[group].ops, expected["softmax"])
            close(ops, torch.nn.functional.one_hot(ops.argmax(1), 8).tolist())
            coefficients = fill.hashed(tuple(ops.shape), seed=401)
            (gradient,) = torch.autograd.grad((coefficients * ops).sum(), alphas[group])
            close(gradient, expected["grad_alpha_of_sum_c_w"])

    def test_first_epoch_below_one(self):
        """The published schedule of GDAS crosses 1; the search is refused before it starts."""
        epoch, space = GOLDEN["reinmax"]["confopt_first_failing_epoch_of_50"], load_space("darts")
        method = Gdas(sampler="reinmax")
        with pytest.raises(ConfigError, match=rf"tau_min: .* in epoch {epoch} \(from 0\) of 50"):
            method.check(SearchConfig(epochs=50), space)
        assert method.tau(Progress(epoch, 50)) < 1 <= method.tau(Progress(epoch - 1, 50))
        Gdas(tau_min=1, sampler="reinmax").check(SearchConfig(epochs=50), space)


def test_both_groups_go_to_the_host_at_once(monkeypatch):
    """GDAS reads its 28 drawn operators with one transfer."""
    alphas = filled_alphas(Gdas(), load_space("darts"), OF_FILE)
    transfers, tolist = [], torch.Tensor.tolist
    for name in ("tolist", "item", "cpu"):
        monkeypatch.setattr(torch.Tensor, name, lambda x: transfers.append(x.shape) or tolist(x))
    Gdas().arch_weights(alphas, MEASURING, noise_of(OF_FILE["noise"]))
    assert transfers == [(2, 14)]


@pytest.mark.parametrize("name", GOLDEN["genotypes"])
def test_published_cells(name):
    """The authors' cells are known by name, and have the size of their networks.

    Those of SNAS have a BatchNorm with weights after each pooling: scale and shift of the 72 and
    144 channels of the two reduction cells.
    """
    case, genotype = GOLDEN["genotypes"][name], published_genotypes()[name.upper()]
    assert genotype == genotype_of(case)
    pools = sum("pool" in primitive for node in genotype.reduce for primitive, _ in node)
    extra = pools * 2 * (72 + 144) if name.startswith("SNAS") else 0
    expected = case["cifar_c36_20cells"]
    check_size(
        genotype, expected["parameters"] - extra, expected["parameters_with_auxiliary"] - extra
    )
