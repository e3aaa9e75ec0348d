"""ReinMax, SNAS and published cells against the numbers of their authors' code, in float64."""

import pytest
import torch

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.genotype import published_genotypes
from nas.genotype.cells import without_gaps
from nas.search.method import Progress
from nas.search.methods.gdas import Gdas
from nas.search.methods.snas import Snas
from nas.space import load_space
from nas.supernet import Alphas
from tests.golden import fill
from tests.golden.test_darts import close, genotype_of
from tests.golden.test_methods import (
    GOLDEN,
    GROUPS,
    MEASURING,
    check_supernet,
    fill_by_phase,
    filled_alphas,
    formats,
    noise_of,
)
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
    assert transfers == [(28,)]


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


class TestSnas:
    @formats
    def test_supernet(self, memory_format, by_source):
        """Logits, gradients of weights and alphas, and the drawn mixtures are the authors'."""
        case = GOLDEN["snas"]["supernet"][0]
        method, space = snas_at(case["temperature"]), load_space("darts")
        noise = noise_of(case["noise"])
        _, alphas = check_supernet(method, space, case, noise, memory_format, by_source)
        weights = method.arch_weights(alphas, MEASURING, noise)
        for group in GROUPS:
            close(weights[group].ops, case[f"weights_{group}"])

    @pytest.mark.parametrize("case", GOLDEN["snas"]["sampler"], ids=lambda c: c["temperature"])
    def test_sampler(self, case):
        """Mixtures and their gradients agree at every temperature."""
        of_file = GOLDEN["snas"]["supernet"][0]
        method = snas_at(case["temperature"])
        alphas = filled_alphas(method, load_space("darts"), of_file)
        weights = method.arch_weights(alphas, MEASURING, noise_of(of_file["noise"]))
        for group in GROUPS:
            ops = weights[group].ops
            close(ops, case[group]["weights"])
            coefficients = fill.hashed(tuple(ops.shape), seed=401)
            (gradient,) = torch.autograd.grad((coefficients * ops).sum(), alphas[group])
            close(gradient, case[group]["grad_alpha_of_sum_c_w"])

    @pytest.mark.parametrize(
        "case", GOLDEN["snas"]["temperature_schedule"], ids=lambda c: c["epochs_asked"]
    )
    def test_temperatures(self, case):
        """The authors' schedule has 150 epochs, whatever is asked."""
        method = Snas(t_max=case["temp"], t_min=case["temp_min"])
        for epoch, temperature in case["used_in_epoch"].items():
            ours = method.temperature(Progress(int(epoch), 150))
            assert ours == pytest.approx(temperature, abs=1e-12)

    @pytest.mark.parametrize("case", GOLDEN["snas"]["decode"], ids=lambda c: c["phase"])
    def test_decode(self, case):
        """All edges, and two of each node; ours leaves out the edges of none."""
        space = load_space("darts")
        alphas = Alphas(space).double()
        fill_by_phase(alphas, case["phase"])
        for keep, key in (("all_edges", "edge_all"), ("two_edges", "two_per_node")):
            method = Snas(keep=keep)
            decoded = method.decode(alphas, space, MEASURING)
            for group in GROUPS:
                ops = method.distribution(alphas, MEASURING)[group].ops
                entries = method.entries(group, ops, space)
                expected = case[f"genotype_{key}"][group]
                assert [[name, source] for name, _, source in entries] == expected
                passing = [entry for entry in entries if entry[0] != "none"]
                nodes, _ = without_gaps(passing)
                assert getattr(decoded, group) == tuple(map(tuple, nodes))

    def test_none_everywhere(self):
        """A cell is never empty."""
        space = load_space("darts")
        alphas = Alphas(space).double()
        with torch.no_grad():
            alphas.normal[:, space.primitives.index("none")] = 9
        decoded = Snas().decode(alphas, space, MEASURING)
        assert [len(node) for node in decoded.normal] == [2, 3, 4, 5]
        assert "none" not in decoded.primitives


def snas_at(temperature):
    return Snas(t_max=temperature, t_min=temperature)
