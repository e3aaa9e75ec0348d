"""DrNAS against the numbers of its authors' code, in float64."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.runtime.complexity import count_parameters
from nas.search.dirichlet import concentration, mean
from nas.search.methods.drnas import Divergence, DrNas
from nas.search.methods.snas import Snas
from nas.search.stages import largest
from nas.space import load_space
from nas.supernet import Alphas, Supernet
from nas.supernet.nasbench201 import Nasbench201Supernet
from nas.supernet.widen import widen
from tests.golden import fill
from tests.golden.test_darts import close, genotype_of
from tests.golden.test_methods import (
    GOLDEN,
    GROUPS,
    MEASURING,
    batches,
    filled_alphas,
    filled_net,
)

FORMATS = [
    pytest.param(torch.contiguous_format, True, id="contiguous"),
    pytest.param(torch.channels_last, True, id="channels_last", marks=pytest.mark.slow),
    pytest.param(torch.contiguous_format, False, id="edge_by_edge", marks=pytest.mark.slow),
]
CASE = GOLDEN["drnas"]["supernet"][0]
OF_201 = GOLDEN["drnas_nas_bench_201"]


@pytest.fixture(scope="module")
def space():
    return load_space("darts_no_none")


def given_sample(shape, seed):
    """Return W by the rule of the file."""
    v = fill.hashed(shape, seed) + 0.6
    return v / v.sum(dim=1, keepdim=True)


def noise_of(case):
    return {group: given_sample((14, 7), case["sample"][group]) for group in GROUPS}


@torch.no_grad()
def alphas_by_phase(space, phase):
    """Fill alphas by the phase rule, times 2."""
    alphas = Alphas(space).double()
    edge = torch.arange(1, 15, dtype=torch.float64)
    primitive = torch.arange(1, 8, dtype=torch.float64)
    angle = 12.9898 * edge[:, None] + 78.233 * primitive + phase
    for group, wave in (("normal", torch.sin), ("reduce", torch.cos)):
        alphas[group].copy_(2 * wave(angle))
    return alphas


@pytest.mark.parametrize(("memory_format", "by_source"), FORMATS)
def test_supernet(space, memory_format, by_source):
    """Logits, loss, gradients of weights and draws, and through the draws of the alphas agree."""
    method = DrNas(channel_fraction=CASE["k"])
    assert space.primitives == tuple(CASE["primitives"])
    net = filled_net(method, space, CASE, memory_format, by_source)
    alphas = filled_alphas(method, space, CASE)
    assert count_parameters(net) == CASE["num_weight_parameters"]
    images, targets = next(batches(CASE, memory_format))
    weights = method.arch_weights(alphas, MEASURING, noise_of(CASE))
    for of_group in weights.values():
        of_group.ops.retain_grad()
    logits = net(images, weights)
    loss = cross_entropy(logits, targets)
    close(logits, CASE["logits"])
    close(loss, CASE["loss"])
    close(loss + Divergence(1e-3)(alphas, MEASURING), CASE["loss_plus_kl"])
    loss.backward()
    sizes = sum(w.grad.abs().sum() for w in net.parameters() if w.grad is not None)
    close(sizes, CASE["sum_abs_grad_network_weights"])
    for group in GROUPS:
        close(weights[group].ops, noise_of(CASE)[group].tolist())
        close(weights[group].ops.grad, CASE[f"grad_weights_{group}"])
        close(alphas[group].grad, CASE[f"grad_alpha_{group}_pathwise"])


def check_gradients(net, method, alphas, expected, memory_format):
    """Compare logits, loss and the gradients of the alphas with a case of the file."""
    images, targets = next(batches(CASE, memory_format))
    weights = method.arch_weights(alphas, MEASURING, noise_of(CASE))
    logits = net(images, weights)
    loss = cross_entropy(logits, targets)
    close(logits, expected["logits"])
    close(loss, expected["loss"])
    gradients = torch.autograd.grad(loss, [alphas[group] for group in GROUPS])
    for group, gradient in zip(GROUPS, gradients, strict=True):
        close(gradient, expected[f"grad_alpha_{group}_pathwise"])
        close(weights[group].ops, CASE["second_stage"][f"weights_{group}"])


@pytest.mark.parametrize(("memory_format", "by_source"), FORMATS)
def test_second_stage(space, memory_format, by_source):
    """The pruned and then the widened network have the outputs and gradients of the code."""
    expected = CASE["second_stage"]
    alphas = pruned(filled_alphas(DrNas(), space, CASE), expected["num_keep"])
    for group in GROUPS:
        assert alphas.kept(group).int().tolist() == expected[f"mask_{group}"]
        close(alphas[group], expected[f"alphas_{group}"])
    first, second = DrNas(channel_fraction=CASE["k"]), DrNas(expected["widened"]["k"])
    net = filled_net(first, space, CASE, memory_format, by_source)
    check_gradients(net, first, alphas, expected["pruned"], memory_format)
    wider = filled_net(second, space, CASE, memory_format, by_source)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    widen(net, wider, optimizer, lambda old, new: torch.arange(new) % old)
    assert count_parameters(net) == expected["widened"]["num_weight_parameters"]
    check_gradients(net, second, alphas, expected["widened"], memory_format)
    decoded = second.decode(alphas, space, MEASURING)
    assert decoded == genotype_of(expected["genotype_code"])


def pruned(alphas, keep):
    """Prune as the second stage does."""
    alphas.prune({group: largest(alphas[group], alphas.mask(group), keep) for group in GROUPS})
    return alphas


@pytest.mark.parametrize("case", GOLDEN["drnas"]["kl"])
def test_divergence(space, case):
    """Concentrations, means, the divergence and its gradient agree."""
    alphas = filled_alphas(DrNas(), space, case)
    term = Divergence(case["scale"])(alphas, MEASURING)
    close(term, case["kl_times_scale"])
    term.backward()
    for group in GROUPS:
        c = concentration(alphas[group], alphas.mask(group))
        close(c, case[f"concentration_{group}"])
        close(mean(c), case[f"mean_{group}"])
        close(alphas[group].grad, case[f"grad_alpha_{group}"])


def check_201(method, case, noise, by_source, gradient):
    """Compare logits, loss and gradient in the NAS-Bench-201 space; returns the alphas."""
    space = load_space("nasbench201")
    net = Nasbench201Supernet(
        space,
        init_channels=case["init_channels"],
        num_cells=case["cells_per_stage"],
        by_source=by_source,
        build_edge=method.build_edge,
    )
    fill.fill_weights(net).train()
    assert count_parameters(net) == case["num_weight_parameters"]
    p, q, r = case["alphas"]["normal"]
    edge, primitive = torch.arange(6).double(), torch.arange(5).double()
    alphas = Alphas(space).double()
    with torch.no_grad():
        wave = torch.sin(p * edge[:, None] + q * primitive + r)
        alphas.normal.copy_(case["alphas"]["amplitude"] * wave)
    images, targets = next(batches(case, torch.contiguous_format))
    logits = net(images, method.arch_weights(alphas, MEASURING, {"normal": noise}))
    loss = cross_entropy(logits, targets)
    close(logits, case["logits"])
    close(loss, case["loss"])
    close(torch.autograd.grad(loss, [alphas.normal])[0], case[gradient])
    return alphas


@pytest.mark.parametrize("case", OF_201["dirichlet"], ids=lambda c: c["k"])
@pytest.mark.parametrize("by_source", [True, False], ids=["fast", "edge_by_edge"])
def test_nas_bench_201(case, by_source):
    """Whole and partial edges, with `none`: logits, gradients, divergence and cell agree."""
    space, method = load_space("nasbench201"), DrNas(channel_fraction=case["k"])
    names = [name.removeprefix("plain_") for name in space.primitives]
    assert names == case["primitives"]
    noise = given_sample((6, 5), case["sample_seed"])
    alphas = check_201(method, case, noise, by_source, "grad_alpha_pathwise")
    term = Divergence(1e-3)(alphas, MEASURING)
    close(term, case["kl_times_scale"])
    (gradient,) = torch.autograd.grad(term, [alphas.normal])
    close(gradient, case["kl_grad_alpha"])
    assert method.decode(alphas, space, MEASURING).to_text() == case["genotype"]


@pytest.mark.parametrize("case", OF_201["snas_baseline"], ids=lambda c: c["tau"])
def test_snas_in_nas_bench_201(case):
    """The Gumbel softmax that the authors of DrNAS compare with is that of our SNAS."""
    method = Snas(t_max=case["tau"], t_min=case["tau"])
    u = (fill.hashed((6, 5), case["noise_seed"]) + 0.5).clamp(1e-6, 1 - 1e-6)
    check_201(method, case, -(-u.log()).log(), True, "grad_alpha")


@pytest.mark.parametrize("case", GOLDEN["drnas"]["decode"], ids=lambda c: c["phase"])
def test_decode(space, case):
    """The code ranks edges by softmax(alpha), the paper by the mean; they may keep other edges."""
    alphas = alphas_by_phase(space, case["phase"])
    by_softmax = DrNas().decode(alphas, space, MEASURING)
    by_mean = DrNas(rank="mean").decode(alphas, space, MEASURING)
    assert by_softmax == genotype_of(case["genotype_code"])
    expected = {**case["genotype_code"], **case["genotype_by_dirichlet_mean"]}
    assert by_mean == genotype_of(expected)
    assert (by_mean != by_softmax) == case["mean_differs"]
    after = DrNas().decode(pruned(alphas, 4), space, MEASURING)
    assert after == genotype_of(case["genotype_code_after_pruning_to_4"])


@pytest.mark.slow
@pytest.mark.parametrize(("k", "when"), [(6, "k6"), (4, "k4_after_widening")])
def test_size_of_the_published_search_network(space, k, when):
    case = GOLDEN["drnas"]["published_search_network"]
    with torch.device("meta"):
        net = Supernet(
            space,
            init_channels=case["init_channels"],
            num_cells=case["num_cells"],
            build_edge=DrNas(channel_fraction=k).build_edge,
        )
    assert count_parameters(net) == case[f"num_weight_parameters_{when}"]
