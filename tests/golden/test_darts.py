"""Our numbers against those of the DARTS reference code, in float64."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.genotype import Genotype, published_genotypes
from nas.layers import pointwise_norm
from nas.models import GenotypeNetwork
from nas.runtime.complexity import count_madds, count_parameters
from nas.search import Architect, decode
from nas.space import load_space
from nas.supernet import Alphas, Supernet
from tests.golden import fill

GOLDEN = fill.load("darts.json")
SUPERNET = GOLDEN["supernet"][0]
TOLERANCE = 1e-8


def close(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
    torch.testing.assert_close(
        found.detach(), torch.tensor(expected, dtype=torch.float64), rtol=rtol, atol=atol
    )


@pytest.fixture(scope="module", params=["channels_last", "contiguous"])
def setup(request):
    """The filled supernet, alphas and both batches of the golden file.

    channels_last is how a run has them, and what all the fast forms of the layers need.
    """
    memory_format = getattr(torch, request.param.replace("contiguous", "contiguous_format"))
    space = load_space("darts")
    net = Supernet(space, init_channels=SUPERNET["init_channels"], num_cells=SUPERNET["num_cells"])
    num = SUPERNET["batch"]
    images, targets = fill.batch(num, 0)
    val_images, val_targets = fill.batch(num, num)
    return (
        fill.fill_weights(net).train().to(memory_format=memory_format),
        fill.fill_alphas(Alphas(space)),
        (images.contiguous(memory_format=memory_format), targets),
        (val_images.contiguous(memory_format=memory_format), val_targets),
    )


def architect(setup, order, buffer_scale=None, **settings):
    net, alphas, train_batch, val_batch = setup
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    if buffer_scale is not None:
        for parameter in net.parameters():
            optimizer.state[parameter]["momentum_buffer"] = buffer_scale * parameter.detach()
    gradient = Architect(net, alphas, cross_entropy, optimizer, order=order, **settings)
    return gradient.gradient(val_batch, train_batch)


def test_supernet_has_the_reference_number_of_weights(setup):
    assert count_parameters(setup[0]) == SUPERNET["num_weight_parameters"]


def test_supernet_logits_loss_and_alpha_gradients(setup, monkeypatch):
    """Forward and backward pass of the whole supernet agree with the reference."""
    net, alphas, (images, targets), _ = setup
    fused = []
    apply = pointwise_norm._PointwiseNorm.apply
    monkeypatch.setattr(
        pointwise_norm._PointwiseNorm, "apply", lambda *a: fused.append(a) or apply(*a)
    )
    logits = net(images, alphas.weights())
    is_channels_last = images.is_contiguous(memory_format=torch.channels_last)
    assert bool(fused) == is_channels_last, "channels_last is there to test the fused form"
    loss = cross_entropy(logits, targets)
    weights = list(net.parameters())
    normal, reduce, *gradients = torch.autograd.grad(loss, [alphas.normal, alphas.reduce, *weights])
    close(logits, SUPERNET["logits"])
    close(loss, SUPERNET["loss"])
    close(normal, SUPERNET["grad_alpha_normal"])
    close(reduce, SUPERNET["grad_alpha_reduce"])
    close(sum(g.abs().sum() for g in gradients), SUPERNET["sum_abs_grad_weights"])


def test_first_order_architect(setup):
    gradient = architect(setup, "first_order")
    close(gradient.val_loss, SUPERNET["first_order"]["val_loss"])
    close(gradient.normal, SUPERNET["first_order"]["normal"])
    close(gradient.reduce, SUPERNET["first_order"]["reduce"])


@pytest.mark.parametrize(
    ("key", "buffer_scale"),
    [
        ("second_order_zero_momentum", None),
        pytest.param("second_order_momentum_0.01_w", 0.01, marks=pytest.mark.slow),
    ],
)
class TestSecondOrder:
    @pytest.mark.parametrize(
        "setup",
        [pytest.param("channels_last", marks=pytest.mark.slow), "contiguous"],
        indirect=True,
    )
    def test_finite_difference(self, setup, key, buffer_scale):
        """The step of the paper, 0.01 / ||v||, gives the reference's gradient."""
        gradient = architect(setup, "second_order", buffer_scale)
        close(gradient.val_loss, SUPERNET[key]["virtual_val_loss"])
        close(gradient.normal, SUPERNET[key]["finite_difference"]["normal"])
        close(gradient.reduce, SUPERNET[key]["finite_difference"]["reduce"])

    @pytest.mark.slow
    def test_exact_and_small_step(self, setup, key, buffer_scale):
        """Double backward gives the golden exact gradient, and a step of 1e-7 agrees with it."""
        exact = architect(setup, "second_order_exact", buffer_scale)
        close(exact.val_loss, SUPERNET[key]["virtual_val_loss"])
        close(exact.normal, SUPERNET[key]["exact"]["normal"])
        close(exact.reduce, SUPERNET[key]["exact"]["reduce"])
        small = architect(setup, "second_order", buffer_scale, epsilon=1e-7)
        torch.testing.assert_close(small.normal, exact.normal, rtol=0, atol=1e-7)
        torch.testing.assert_close(small.reduce, exact.reduce, rtol=0, atol=1e-7)
        close(small.normal, SUPERNET[key]["finite_difference_r1e-7"]["normal"], 0, 1e-7)

    @pytest.mark.slow
    def test_correction_is_not_negligible(self, setup, key, buffer_scale, monkeypatch):
        """The Hessian term is far above every tolerance used here, so these tests can fail."""
        monkeypatch.setattr(Architect, "_correction_scale", lambda self: 0.0)
        found = architect(setup, "second_order", buffer_scale)  # dL_val(w')/d alpha alone
        expected = SUPERNET[key]["finite_difference"]
        corrections = [
            (getattr(found, cell) - torch.tensor(expected[cell])).abs().max().item()
            for cell in ("normal", "reduce")
        ]
        assert max(corrections) > 1e-2


@pytest.mark.parametrize("case", GOLDEN["decode"]["cases"], ids=lambda c: f"phase{c['phase']}")
def test_decode(case):
    """The decoder finds the reference's genotype, entry for entry."""
    space = load_space("darts")
    alphas = Alphas(space).double()
    edge = torch.arange(1, 15, dtype=torch.float64)[:, None]
    primitive = torch.arange(1, 9, dtype=torch.float64)[None, :]
    angle = 12.9898 * edge + 78.233 * primitive + case["phase"]
    with torch.no_grad():
        alphas.normal.copy_(torch.sin(angle))
        alphas.reduce.copy_(torch.cos(angle))
    assert decode(alphas, space) == genotype_of(case["genotype"])


def genotype_of(entry):
    pairs = {
        cell: [entry[cell][index : index + 2] for index in range(0, len(entry[cell]), 2)]
        for cell in ("normal", "reduce")
    }
    return Genotype(
        **pairs, normal_concat=entry["normal_concat"], reduce_concat=entry["reduce_concat"]
    )


@pytest.mark.parametrize("name", GOLDEN["genotypes"])
class TestGenotypes:
    def test_published_cells(self, name):
        assert published_genotypes()[name] == genotype_of(GOLDEN["genotypes"][name])

    @pytest.mark.parametrize(
        ("key", "stem", "channels", "cells", "size"),
        [
            ("cifar_c36_20cells", "cifar", 36, 20, 32),
            ("imagenet_c48_14cells", "imagenet", 48, 14, 224),
        ],
    )
    def test_parameters_and_madds(self, name, key, stem, channels, cells, size):
        """The evaluation networks have the reference's counts, to the integer."""
        expected = GOLDEN["genotypes"][name][key]
        net = GenotypeNetwork(
            published_genotypes()[name],
            num_classes=10 if stem == "cifar" else 1000,
            init_channels=channels,
            num_cells=cells,
            stem=stem,
        )
        assert count_parameters(net, auxiliary=False) == expected["parameters"]
        assert count_parameters(net) == expected["parameters_with_auxiliary"]
        assert count_madds(net, (3, size, size)) == expected[f"madds_{size}x{size}"]


@pytest.mark.parametrize("entry", GOLDEN["evaluation_network"], ids=lambda e: e["genotype"])
def test_evaluation_network_logits(entry):
    """Logits in eval and train mode, of the main and of the auxiliary head, and the loss."""
    net = GenotypeNetwork(
        published_genotypes()[entry["genotype"]],
        init_channels=entry["init_channels"],
        num_cells=entry["num_cells"],
    )
    fill.fill_weights(net)
    images, targets = fill.batch(len(entry["logits_eval"]), 0)
    close(net.eval()(images), entry["logits_eval"])
    logits, aux_logits = net.train()(images)
    close(logits, entry["logits_train"])
    close(aux_logits, entry["aux_logits_train"])
    loss = cross_entropy(logits, targets) + 0.4 * cross_entropy(aux_logits, targets)
    close(loss, entry["loss_train"])
