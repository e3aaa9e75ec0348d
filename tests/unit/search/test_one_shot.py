"""The one-shot accuracy of a network: its statistics and its accuracy by definition."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from nas.runtime.run_directory import RunDirectory
from nas.search.one_shot import OneShot, average_statistics
from nas.supernet.chain import path_of
from tests.contract.test_chain_methods import SPACE, searcher_of

NETWORK = (("sandglass_t2_k5", "sandglass_t2_k3"), ("sandglass_t2_k3",))
OTHER = (("sandglass_t2_k3",), ("sandglass_t2_k3",))


@pytest.fixture
def searcher(tmp_path):
    """A supernet whose running statistics are those of no network."""
    searcher = searcher_of("uniform", RunDirectory.create(tmp_path / "run", {}))
    searcher.search()
    return searcher


def weights_of(searcher, network):
    return path_of(SPACE, network, next(searcher.alphas.parameters()))


def test_statistics_are_means_over_the_batches(searcher):
    """Of each BatchNorm of the path: mean and unbiased variance of its input, computed again."""
    seen = {}

    def note(module, inputs):
        if module.training:
            (x,) = inputs
            seen.setdefault(module, []).append(x.transpose(0, 1).flatten(1))

    norms = [m for m in searcher.net.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    OneShot(searcher, statistics_batches=2).accuracy(weights_of(searcher, NETWORK))
    for hook in hooks:
        hook.remove()
    assert 0 < len(seen) < len(norms)
    for norm, batches in seen.items():
        assert len(batches) == 2
        means, variances = ([f(x) for x in batches] for f in (mean_of, variance_of))
        torch.testing.assert_close(norm.running_mean, sum(means) / 2)
        torch.testing.assert_close(norm.running_var, sum(variances) / 2)


def test_statistics_are_those_of_torch(searcher):
    """Which counts the batches on the device; the momenta are what they were."""
    weights, found = weights_of(searcher, NETWORK), []
    batches = [images for images, _ in searcher.data.measure_loader(0)] * 2

    class Path(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = searcher.net

        def forward(self, images):
            return self.net(images, weights)

    for update in (average_statistics, lambda net, batches: update_bn(batches, net)):
        path = Path()
        update(path, batches)
        found.append({name: value.clone() for name, value in path.named_buffers()})
        norms = [m for m in path.modules() if isinstance(m, nn.BatchNorm2d)]
        assert {norm.momentum for norm in norms} == {nn.BatchNorm2d(1).momentum}
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


def test_a_stop_leaves_the_momenta(searcher):
    """Also one that comes in the middle of the batches."""

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        OneShot(searcher, 2, check_stop=stop).accuracy(weights_of(searcher, NETWORK))
    norms = [m for m in searcher.net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {nn.BatchNorm2d(1).momentum}


def mean_of(x):
    return x.sum(dim=1) / x.shape[1]


def variance_of(x):
    return (x - mean_of(x)[:, None]).square().sum(dim=1) / (x.shape[1] - 1)


def test_the_accuracy_is_that_of_these_statistics(searcher):
    """Counted image by image, with the network in evaluation mode; nothing learns."""
    before = {name: value.clone() for name, value in searcher.net.named_parameters()}
    weights = weights_of(searcher, NETWORK)
    accuracy = OneShot(searcher, statistics_batches=2).accuracy(weights)
    for name, value in searcher.net.named_parameters():
        assert torch.equal(value, before[name]), name
    assert not searcher.net.training
    right = [
        int(logits.argmax()) == int(target)
        for images, targets in searcher.data.measure_loader(searcher.epochs)
        for logits, target in zip(searcher.net(images, weights), targets, strict=True)
    ]
    assert accuracy == 100 * sum(right) / len(right)
    assert searcher.net.stem[1].momentum == nn.BatchNorm2d(1).momentum


def test_what_was_tested_before_does_not_matter(searcher):
    """The statistics begin at zero, and the batches are the same."""
    one_shot = OneShot(searcher, statistics_batches=1)
    statistics = []
    for network in (NETWORK, OTHER, NETWORK):
        accuracy = one_shot.accuracy(weights_of(searcher, network))
        buffers = {name: value.clone() for name, value in searcher.net.named_buffers()}
        statistics.append((accuracy, buffers))
    (first, one), (_, other), (again, two) = statistics
    assert first == again
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_fewer_batches(searcher):
    """Of the validation part."""
    whole = list(searcher.data.measure_loader(searcher.epochs))
    calls = []
    one_shot = OneShot(searcher, 1, val_batches=1, check_stop=lambda: calls.append(1))
    one_shot.accuracy(weights_of(searcher, OTHER))
    assert len(whole) == 2 == len(calls)  # a training batch and a validation batch
