"""The steps that are timed, of a search, a training and a test, in the plain form and in ours.

The plain form is what the DARTS code does: edge by edge, operator by operator, torch's own layers,
NCHW, float32, gradients of weights and alphas alike in both steps of the first order. Of the second
order it has the same four passes as ours, each with the gradients that the reference asks for; that
code also copies the model, which is not counted against it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from nas.genotype import load_genotype
from nas.layers import folded
from nas.models import GenotypeNetwork, mobilenet_v2, mobilenext
from nas.operators import resolve
from nas.runtime.compute import Compute
from nas.runtime.evaluation import evaluate
from nas.search import Architect
from nas.space import load_space
from nas.supernet import Alphas, Supernet
from tests.plain import make_plain

FORMS = ("plain", "ours")
CPU = Compute(torch.device("cpu"), memory_format=torch.channels_last)
Step = Callable[[], None]


@dataclass(frozen=True)
class SearchSize:
    """A search step to time; the defaults are the paper's setting."""

    space: str = "darts"
    order: str = "first_order"
    init_channels: int = 16
    num_cells: int = 8
    batch_size: int = 64


@dataclass(frozen=True)
class AugmentSize:
    """A retrain step to time; the defaults are the paper's setting."""

    genotype: str = "DARTS_V2"
    init_channels: int = 36
    num_cells: int = 20
    batch_size: int = 96


@dataclass(frozen=True)
class NetworkSize:
    """A network for the phone whose training or test to time."""

    network: str = "mobilenext"
    """Or "mobilenet_v2"."""
    width_mult: float = 1.0
    image_size: int = 64
    batch_size: int = 96


def supernet(size: SearchSize, *, by_source: bool = True) -> Supernet:
    """Build the network of a search."""
    torch.manual_seed(0)
    space = load_space(size.space)
    resolve(space)
    return Supernet(
        space, init_channels=size.init_channels, num_cells=size.num_cells, by_source=by_source
    )


def search_step(form: str, size: SearchSize, compute: Compute, net: Supernet | None = None) -> Step:
    """Return a function that does an alpha step and a weight step on random images."""
    net = (net or supernet(size, by_source=form == "ours")).train()
    compute = _of_form(form, net, compute)
    alphas = Alphas(load_space(size.space)).to(compute.device)
    net = compute.place(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    alpha_optimizer = torch.optim.Adam(alphas.parameters(), 3e-4, (0.5, 0.999), weight_decay=1e-3)
    architect = Architect(net, alphas, cross_entropy, optimizer, order=size.order, compute=compute)
    batch = compute.to_device(random_batch(size.batch_size))
    images, targets = batch

    def step() -> None:
        if form == "plain" and size.order == "first_order":
            cross_entropy(net(images, alphas.weights()), targets).backward()
        else:
            architect.step(batch, batch)
        alpha_optimizer.step()
        optimizer.zero_grad()
        alpha_optimizer.zero_grad()
        weights = alphas.weights()
        if form == "ours":
            weights = tuple(row.detach() for row in weights)
        with compute.autocast():
            loss = cross_entropy(net(images, weights), targets)
        loss.backward()
        clip_grad_norm_(net.parameters(), 5)
        optimizer.step()

    return step


def found_network(size: AugmentSize) -> GenotypeNetwork:
    """Build a network of found cells that drops paths as in the middle of a training."""
    torch.manual_seed(0)
    net = GenotypeNetwork(
        load_genotype(size.genotype), init_channels=size.init_channels, num_cells=size.num_cells
    )
    net.drop_path_prob = 0.1
    return net


def augment_step(
    form: str, size: AugmentSize, compute: Compute, net: GenotypeNetwork | None = None
) -> Step:
    """Return a function that does one training step of a found network on random images."""
    net = (net or found_network(size)).train()
    compute = _of_form(form, net, compute)
    net = compute.place(net)
    images, targets = compute.to_device(random_batch(size.batch_size))

    def loss() -> torch.Tensor:
        logits, aux_logits = net(images)
        return cross_entropy(logits, targets) + 0.4 * cross_entropy(aux_logits, targets)

    return _training_step(net, loss, compute)


def network_step(form: str, size: NetworkSize, compute: Compute) -> Step:
    """Return a function that does one training step of a network for the phone."""
    net = _network(size)
    compute = _of_form(form, net, compute)
    net = compute.place(net)
    images, targets = compute.to_device(random_batch(size.batch_size, size.image_size))
    return _training_step(net, lambda: cross_entropy(net(images), targets), compute)


def network_test(form: str, size: NetworkSize, compute: Compute) -> Step:
    """Return a function that measures a network for the phone on ten batches of images."""
    net = _network(size)
    return _test(form, net, size.batch_size, size.image_size, 10, compute)


def augment_test(form: str, size: AugmentSize, compute: Compute) -> Step:
    """Return a function that measures a found network on four batches of images."""
    return _test(form, found_network(size), size.batch_size, 32, 4, compute)


def _network(size: NetworkSize) -> nn.Module:
    torch.manual_seed(0)
    build = {"mobilenext": mobilenext, "mobilenet_v2": mobilenet_v2}[size.network]
    return build(size.width_mult, num_classes=10).train()


def _training_step(
    net: nn.Module, loss_of_batch: Callable[[], torch.Tensor], compute: Compute
) -> Step:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)

    def step() -> None:
        optimizer.zero_grad()
        with compute.autocast():
            loss = loss_of_batch()
        loss.backward()
        clip_grad_norm_(net.parameters(), 5)
        optimizer.step()

    return step


def _test(
    form: str, net: nn.Module, batch_size: int, image_size: int, num_batches: int, compute: Compute
) -> Step:
    """Return a function that measures; in our form it also folds the BatchNorms, as a run does."""
    compute = _of_form(form, net, compute)
    net = compute.place(net)
    batch = compute.to_device(random_batch(batch_size, image_size))
    _settle(net, batch[0])

    def step() -> None:
        measured = folded(net) if form == "ours" else net
        evaluate(measured, [batch] * num_batches, 10, compute=compute)

    return step


@torch.no_grad()
def _settle(net: nn.Module, images: torch.Tensor) -> None:
    """Give BatchNorms the statistics of a batch.

    With those of a new network numbers get so small that a processor slows down.
    """
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    net.train()(images)


def _of_form(form: str, net: nn.Module, compute: Compute) -> Compute:
    """Undo in a network and its arithmetic what the plain form does not have."""
    if form == "ours":
        return compute
    make_plain(net)
    return Compute(compute.device, memory_format=torch.contiguous_format)


def random_batch(batch_size: int, image_size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images of noise (N, 3, H, W) and the classes of ten (N,) on the CPU."""
    return torch.randn(batch_size, 3, image_size, image_size), torch.arange(batch_size) % 10
