"""Methods that repair DARTS against the numbers of their authors' code, in float64."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.genotype import published_genotypes
from nas.genotype.cells import without_gaps
from nas.models import GenotypeNetwork
from nas.operators import resolve
from nas.runtime.complexity import count_parameters
from nas.search import Architect
from nas.search.epoch_record import count_skips
from nas.search.method import Progress
from nas.search.methods.beta_darts import BetaDarts
from nas.search.methods.fair_darts import FairDarts, ZeroOne
from nas.space import load_space
from nas.supernet import Alphas
from tests.golden import fill
from tests.golden.test_darts import close, genotype_of
from tests.golden.test_methods import GROUPS, MEASURING, batches, filled_net, formats

GOLDEN = fill.load("methods_regularised.json")
DARTS = tuple(GOLDEN["oles"]["static"]["primitives"])
SMALL = {"init_channels": 8, "num_cells": 4, "batch": 4}


def space_of(primitives):
    space = load_space("+".join(primitives))
    resolve(space)
    return space


def without_none():
    return space_of(DARTS[1:])


@torch.no_grad()
def alphas_of(space, scale, phase=0.0):
    """Fill alphas by the rule of the file."""
    alphas = Alphas(space).double()
    edge = torch.arange(space.num_edges, dtype=torch.float64)[:, None]
    primitive = torch.arange(len(space.primitives), dtype=torch.float64)
    alphas.normal.copy_(scale * torch.sin(1.7 * edge + 0.9 * primitive + phase))
    alphas.reduce.copy_(scale * torch.cos(1.3 * edge + 0.6 * primitive + phase))
    return alphas


def first_order(method, net, alphas, val_batch, progress=MEASURING):
    """Return the gradient of the alphas with the terms of the method."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025)
    return Architect(net, alphas, cross_entropy, optimizer).gradient(
        val_batch,
        arch_weights=lambda: method.arch_weights(alphas, progress, None),
        term=lambda: sum(term(alphas, progress) for term in method.terms()),
    )


def sum_abs_gradients(net):
    return sum(w.grad.abs().sum() for w in net.parameters() if w.grad is not None)


class TestFairDarts:
    CASE = GOLDEN["fairdarts"]["supernet"][0]

    @formats
    def test_supernet(self, memory_format, by_source):
        """Sigmoid weights: logits, loss and gradients on the training batch."""
        case, method, space = self.CASE, FairDarts(), without_none()
        assert space.primitives == tuple(case["primitives"])
        net = filled_net(method, space, case, memory_format, by_source)
        assert count_parameters(net) == case["num_weight_parameters"]
        alphas = alphas_of(space, case["alpha_scale"], case["alpha_phase"])
        (images, targets), _ = batches(case, memory_format)
        logits = net(images, method.arch_weights(alphas, MEASURING, None))
        loss = cross_entropy(logits, targets)
        loss.backward()
        close(logits, case["logits"])
        close(loss, case["cross_entropy"])
        close(sum_abs_gradients(net), case["sum_abs_grad_weights"])
        for group in GROUPS:
            close(alphas[group].grad, case["grad_alpha_cross_entropy"][group])

    @pytest.mark.parametrize("form", ["l2", "l1"])
    def test_alpha_step(self, form):
        """The gradient with the zero-one loss, and the alphas after one step of Adam."""
        case, space = self.CASE, without_none()
        method = FairDarts(weight=case["weight"], form=form)
        net = filled_net(method, space, case, torch.contiguous_format, by_source=True)
        alphas = alphas_of(space, case["alpha_scale"], case["alpha_phase"])
        _, val_batch = batches(case, torch.contiguous_format)
        gradient = first_order(method, net, alphas, val_batch)
        expected = case[f"val_{form}"]
        close(gradient.val_loss, expected["cross_entropy"])
        term = sum(term(alphas, MEASURING) for term in method.terms())
        close(term, case["weight"] * expected["zero_one"])
        close(gradient.val_loss + term, expected["total"])
        for group in GROUPS:
            close(gradient.gradients[group], expected["grad_alpha"][group])
            alphas[group].grad = gradient.gradients[group]
        adam = torch.optim.Adam(alphas.parameters(), lr=3e-3, betas=(0.9, 0.999), weight_decay=1e-3)
        adam.step()
        for group in GROUPS:
            close(alphas[group], case[f"alphas_after_one_step_{form}"][group])

    @pytest.mark.parametrize(
        "case", GOLDEN["fairdarts"]["zero_one"], ids=lambda c: c["alpha_scale"]
    )
    @pytest.mark.parametrize("form", ["l2", "l1"])
    def test_zero_one_loss(self, case, form):
        """Values and gradients; at alphas of 0 both are exactly 0."""
        alphas = alphas_of(without_none(), case["alpha_scale"], case["alpha_phase"])
        expected = case[form]
        value = ZeroOne(1.0, form)(alphas, MEASURING)
        close(value, expected["value"])
        value.backward()
        close(alphas.normal.grad[[0, 13]], expected["grad_normal_rows_0_and_13"])
        close(alphas.reduce.grad[5], expected["grad_reduce_row_5"])
        total = alphas.normal.grad.abs().sum() + alphas.reduce.grad.abs().sum()
        close(total, expected["sum_abs_grad"])

    @pytest.mark.parametrize("case", GOLDEN["fairdarts"]["decode"], ids=lambda c: c["phase"])
    def test_decode(self, case):
        """All three rules of the code keep the same entries in the same order."""
        space = without_none()
        alphas = phase_alphas(space, case["scale"], case["phase"])
        rules = {
            "darts": FairDarts(threshold=0),
            "threshold_sparse": FairDarts(threshold=case["threshold"]),
            "threshold_edge": FairDarts(threshold=case["threshold"], keep="all_edges"),
        }
        for group, at_threshold in zip(GROUPS, case["num_weights_at_or_above"], strict=True):
            ops = rules["darts"].distribution(alphas, MEASURING)[group].ops
            measures = rules["threshold_sparse"].measures(alphas, MEASURING)
            assert measures[f"at_threshold/{group}"] == at_threshold
            for name, method in rules.items():
                entries = method.entries(group, ops, space)
                if name == "darts":
                    entries = [(primitive, source) for primitive, _, source in entries]
                assert [list(entry) for entry in entries] == case[name][group]

    @pytest.mark.parametrize("name", GOLDEN["published"]["fairdarts_triples"])
    def test_published_cells(self, name):
        """Cells with missing nodes are known by name and have the size of the authors' network."""
        case = GOLDEN["published"]["fairdarts_triples"][name]
        genotype = published_genotypes()[name]
        for group in GROUPS:
            nodes, _ = without_gaps([tuple(entry) for entry in case[group]])
            assert getattr(genotype, group) == tuple(map(tuple, nodes))
        check_size(genotype, case["parameters"], case["parameters_with_auxiliary"])


class TestBetaDarts:
    @pytest.mark.parametrize("case", GOLDEN["beta_darts"]["regulariser"], ids=lambda c: c["edges"])
    def test_regularizer(self, case):
        """The term over all rows, and over one matrix as in the code."""
        shape = (case["edges"], case["primitives"])
        if case["edges"] == 14:
            space = space_of(DARTS)
            alphas = alphas_of(space, case["alpha_scale"], case["alpha_phase"])
        else:
            alphas = Rows(shape, case["alpha_scale"])
        assert alphas.normal.shape == shape
        (term,) = BetaDarts(weight=1).terms()
        expected = case["mean_over_all_edges"]
        value = term(alphas, Progress(1, 50))
        close(value, expected["value"])
        value.backward()
        close(alphas.normal.grad[0], expected["grad_normal_row_0"])
        close(alphas.reduce.grad[0], expected["grad_reduce_row_0"])
        for group in GROUPS:
            one = Rows.only(alphas, group)
            value = term(one, Progress(1, 50))
            close(value, case[group]["value"])
            close(torch.autograd.grad(value, one[group])[0], case[group]["grad"])

    @pytest.mark.parametrize(
        "at", GOLDEN["beta_darts"]["architect_gradient"][0]["at"], ids=lambda c: c["epoch"]
    )
    def test_architect(self, at):
        """The coefficient is half the epoch, and the term joins the gradient of the loss."""
        case, method, space = SMALL, BetaDarts(), space_of(DARTS)
        net = filled_net(method, space, case, torch.contiguous_format, by_source=True)
        alphas = alphas_of(space, 0.1)
        _, val_batch = batches(case, torch.contiguous_format)
        assert method.weight * at["epoch"] == at["lambda"]
        gradient = first_order(method, net, alphas, val_batch, Progress(at["epoch"], 50))
        close(gradient.normal, at["grad_normal"])
        close(gradient.reduce, at["grad_reduce"])


class Rows(dict):
    """Alphas as a term sees them, of any shape."""

    def __init__(self, shape, scale):
        edge = torch.arange(shape[0], dtype=torch.float64)[:, None]
        primitive = torch.arange(shape[1], dtype=torch.float64)
        self["normal"] = (scale * torch.sin(1.7 * edge + 0.9 * primitive)).requires_grad_()
        self["reduce"] = (scale * torch.cos(1.3 * edge + 0.6 * primitive)).requires_grad_()

    @classmethod
    def only(cls, alphas, group):
        rows = cls((1, 1), 0)
        rows.clear()
        rows[group] = alphas[group]
        return rows

    @property
    def groups(self):
        return tuple(self)

    @property
    def normal(self):
        return self["normal"]

    @property
    def reduce(self):
        return self["reduce"]

    def logits_of(self, group):
        return self[group]


@torch.no_grad()
def phase_alphas(space, scale, phase):
    alphas = Alphas(space).double()
    edge = torch.arange(1, space.num_edges + 1, dtype=torch.float64)[:, None]
    primitive = torch.arange(1, len(space.primitives) + 1, dtype=torch.float64)
    angle = 12.9898 * edge + 78.233 * primitive + phase
    alphas.normal.copy_(scale * torch.sin(angle))
    alphas.reduce.copy_(scale * torch.cos(angle))
    return alphas


def check_size(genotype, parameters, with_auxiliary=None):
    with torch.device("meta"):
        net = GenotypeNetwork(genotype, num_classes=10, init_channels=36, num_cells=20)
    assert count_parameters(net, auxiliary=False) == parameters
    if with_auxiliary is not None:
        assert count_parameters(net) == with_auxiliary


@pytest.mark.parametrize("name", GOLDEN["published"]["pairs"])
def test_published_cells(name):
    """The cells of the authors are known by name and have the size they publish."""
    case = dict(GOLDEN["published"]["pairs"][name])
    concat = {f"{group}_concat": (2, 3, 4, 5) for group in GROUPS}
    genotype = published_genotypes()[name]
    assert genotype == genotype_of(case | concat)
    assert count_skips(genotype, "normal") == case["skips_in_normal"]
    check_size(genotype, case["parameters"])
