"""Our numbers against those of the code of NAS-Bench-201, in float64."""

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from nas.genotype import Genotype, load_genotype
from nas.models.cost import evaluation_cost
from nas.models.nasbench201 import Nasbench201Network
from nas.runtime.complexity import count_parameters
from nas.search import Architect, decode
from nas.search.method import Progress
from nas.search.methods.gdas import Gdas
from nas.space import load_space
from nas.supernet import Alphas, EdgeWeights
from nas.supernet.nasbench201 import Nasbench201Supernet
from tests.golden import fill

GOLDEN = fill.load("nasbench201.json")
FIRST, SECOND = GOLDEN["supernet"]
TOLERANCE = 1e-8
SPACE = load_space("nasbench201")


def close(actual, expected, rtol=TOLERANCE, atol=TOLERANCE):
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(actual.detach(), expected, rtol=rtol, atol=atol)


def alphas_of(rule):
    """Return alphas that are filled by one of the rules of the golden file."""
    edge = torch.arange(6, dtype=torch.float64)[:, None]
    column = torch.arange(5, dtype=torch.float64)[None, :]
    if rule == "sine":
        values = 0.1 * torch.sin(1.7 * edge + 0.9 * column)
    elif rule == "all zero":
        values = torch.zeros(6, 5)
    else:
        phase = int(rule.removeprefix("phase "))
        values = torch.sin(12.9898 * (edge + 1) + 78.233 * (column + 1) + phase)
    alphas = Alphas(SPACE).double()
    with torch.no_grad():
        alphas.normal.copy_(values)
    return alphas


def batch(case, offset=0):
    images, targets = fill.batch(case["batch"], offset, case.get("resolution", 32))
    return images, targets % case.get("num_classes", 10)


def supernet(case, by_source=True):
    net = Nasbench201Supernet(
        SPACE,
        init_channels=case["init_channels"],
        num_cells=case["cells_per_stage"],
        by_source=by_source,
    )
    return fill.fill_weights(net).train()


def sum_of_gradients(loss, net):
    gradients = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)
    return sum(g.abs().sum() for g in gradients if g is not None)


def architect(case, order="first_order", buffer_scale=None, **settings):
    net, alphas = supernet(case), alphas_of(case["alphas"])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    if buffer_scale is not None:
        for parameter in net.parameters():
            optimizer.state[parameter]["momentum_buffer"] = buffer_scale * parameter.detach()
    built = Architect(net, alphas, cross_entropy, optimizer, order=order, **settings)
    return built.gradient(batch(case, case["batch"]), batch(case))


by_both_forms = pytest.mark.parametrize("by_source", [True, False], ids=["fast", "edge by edge"])


@by_both_forms
@pytest.mark.parametrize("case", [FIRST, SECOND], ids=["sine", "phase"])
def test_supernet(case, by_source):
    """Forward and backward pass of the mixture; our convolutions have no bias."""
    net, alphas = supernet(case, by_source), alphas_of(case["alphas"])
    biases = case["of_which_convolution_biases"]
    assert count_parameters(net) == case["num_weight_parameters"] - biases
    images, targets = batch(case)
    logits = net(images, alphas.weights())
    loss = cross_entropy(logits, targets)
    (gradient,) = torch.autograd.grad(loss, [alphas.normal], retain_graph=True)
    close(logits, case["logits"])
    close(loss, case["loss"])
    close(gradient, case["grad_alpha"])
    close(sum_of_gradients(loss, net), case["sum_abs_grad_weights"])


@by_both_forms
@pytest.mark.parametrize("expected", FIRST["single_path"], ids=lambda path: path["arch"][1:13])
def test_single_path(expected, by_source):
    """One operator an edge, the same in all cells, and nothing else runs."""
    net = supernet(FIRST, by_source)
    cell = load_genotype(expected["arch"]).normal
    chosen = tuple(SPACE.primitives.index(name) for node in cell for name, _ in node)
    images, targets = batch(FIRST)
    ops = one_hot(torch.tensor(chosen), 5).double()
    logits = net(images, [EdgeWeights(ops, chosen=chosen)])
    loss = cross_entropy(logits, targets)
    close(logits, expected["logits"])
    close(loss, expected["loss"])
    close(sum_of_gradients(loss, net), expected["sum_abs_grad_weights"])


@pytest.mark.parametrize("case", [FIRST, SECOND], ids=["sine", "phase"])
def test_first_order(case):
    gradient = architect(case)
    close(gradient.val_loss, case["first_order"]["val_loss"])
    close(gradient.normal, case["first_order"]["alpha"])


@pytest.mark.parametrize(
    ("key", "buffer_scale"),
    [
        ("second_order_zero_momentum", None),
        pytest.param("second_order_momentum_0.01_w", 0.01, marks=pytest.mark.slow),
    ],
)
def test_second_order(key, buffer_scale):
    """The finite difference of the paper, and a small one against double backward."""
    expected = FIRST[key]
    gradient = architect(FIRST, "second_order", buffer_scale)
    close(gradient.val_loss, expected["virtual_val_loss"])
    close(gradient.normal, expected["finite_difference"])
    small = architect(FIRST, "second_order", buffer_scale, epsilon=1e-7)
    close(small.normal, expected["exact"], 0, 1e-7)


@pytest.mark.parametrize(
    ("case", "rule"),
    list(zip(GOLDEN["gdas"], ("sine", "phase 1"), strict=True)),
    ids=("tau 5", "tau 1"),
)
def test_gdas(case, rule):
    """GDAS as it is defined on the DARTS space: only the drawn operator has a gradient."""
    net, alphas = supernet(case), alphas_of(rule)
    gumbel = -(-(fill.hashed((6, 5), case["noise_seed"]) + 0.5).log()).log()
    method = Gdas(tau_max=case["tau"], tau_min=case["tau"])
    weights = method.arch_weights(alphas, Progress(0, 1), {"normal": gumbel})
    images, targets = batch(case)
    logits = net(images, weights)
    loss = cross_entropy(logits, targets)
    (gradient,) = torch.autograd.grad(loss, [alphas.normal])
    names = [SPACE.primitives[column] for column in weights["normal"].chosen]
    assert [name.removeprefix("plain_") for name in names] == case["selected"]
    close(logits, case["logits"])
    close(loss, case["loss"])
    close(gradient, case["grad_alpha_selected_only"])


def names_of(case):
    return f"{case['name']}-C{case['init_channels']}"


@pytest.mark.parametrize("case", GOLDEN["evaluation_network"], ids=names_of)
def test_evaluation_network(case):
    """Logits with running and with batch statistics; zeros reach the weights before a dead cell."""
    size = {"init_channels": case["init_channels"], "num_cells": case["cells_per_stage"]}
    net = fill.fill_weights(Nasbench201Network(load_genotype(case["arch"]), **size))
    assert count_parameters(net) == case["parameters"]
    images, targets = batch(case)
    with torch.no_grad():
        close(net.eval()(images), case["logits_eval"])
    logits = net.train()(images)
    loss = cross_entropy(logits, targets)
    close(logits, case["logits_train"])
    close(loss, case["loss_train"])
    close(sum_of_gradients(loss, net), case["sum_abs_grad_weights"])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "five_operators" else pytest.mark.slow)
        for name in GOLDEN["counts"]
    ],
)
def test_parameters_and_multiply_adds(name):
    """At the size of the benchmark, for its three data sets."""
    entry = dict(GOLDEN["counts"][name])
    genotype = load_genotype(entry.pop("arch"))
    classes = {"cifar10": 10, "cifar100": 100, "imagenet16": 120}
    for dataset, expected in entry.items():
        data, size = dataset.split("_")[0], int(dataset.rsplit("_", 1)[1])
        parameters, madds = evaluation_cost(genotype, (3, size, size), classes[data])
        assert (parameters, madds) == (expected["parameters"], expected["madds"])


@pytest.mark.parametrize("case", GOLDEN["decode"]["cases"], ids=lambda case: case["arch"])
def test_decode(case):
    """The strongest operator of every edge, `none` included; ties go to the lower column."""
    rule = case.get("alphas") or f"phase {case['phase']}"
    assert decode(alphas_of(rule), SPACE).to_text() == case["arch"]


@pytest.mark.parametrize("text", GOLDEN["strings"]["valid"])
def test_strings(text):
    """Read and written."""
    genotype = load_genotype(text)
    nodes = [
        [[name.removeprefix("plain_"), source] for name, source in node] for node in genotype.normal
    ]
    assert nodes == GOLDEN["strings"]["valid"][text]
    assert genotype.to_text() == text
    assert Genotype.from_json(genotype.to_json()) == genotype
