"""Measuring counts every image once, whatever the batches are."""

import numpy
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nas.runtime.evaluation import evaluate

NUM_CLASSES = 7


@pytest.fixture
def logits_and_targets():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(53, NUM_CLASSES, generator=generator)
    targets = torch.randint(NUM_CLASSES - 1, (53,), generator=generator)  # the last has no image
    return logits, targets


def batches(logits, targets, size):
    return [*zip(logits.split(size), targets.split(size), strict=True)]


@pytest.mark.parametrize("size", [1, 10, 53])
def test_against_numpy(logits_and_targets, size):
    """Loss, top-1, top-5, classes and confusion from the definitions, at any batch size."""
    logits, targets = logits_and_targets
    found = evaluate(nn.Identity(), batches(logits, targets, size), NUM_CLASSES)
    order = numpy.argsort(-logits.numpy(), axis=1)
    truth = targets.numpy()
    assert found.num_images == 53
    assert found.loss == pytest.approx(cross_entropy(logits, targets).item(), rel=1e-5)
    assert found.top1 == pytest.approx(100 * (order[:, 0] == truth).mean())
    assert found.top5 == pytest.approx(100 * (order[:, :5] == truth[:, None]).any(1).mean())
    confusion = numpy.zeros((NUM_CLASSES, NUM_CLASSES), int)
    numpy.add.at(confusion, (truth, order[:, 0]), 1)
    assert numpy.array_equal(found.confusion, confusion)
    for label in range(NUM_CLASSES - 1):
        mine = order[truth == label, 0] == label
        assert found.per_class_accuracy[label] == pytest.approx(100 * mine.mean())
    assert found.per_class_accuracy[-1] is None


def test_few_classes_make_top5_certain():
    logits, targets = torch.randn(9, 3), torch.arange(9) % 3
    assert evaluate(nn.Identity(), [(logits, targets)], 3).top5 == 100


def test_many_classes_have_no_confusion_matrix():
    logits, targets = torch.randn(4, 101), torch.arange(4)
    found = evaluate(nn.Identity(), [(logits, targets)], 101)
    assert found.confusion is None and len(found.per_class_accuracy) == 101


@pytest.mark.parametrize("training", [True, False])
def test_measures_in_eval_mode_and_leaves_the_model_alone(training):
    """No dropout, no BatchNorm update; the mode comes back, also after an error."""
    net = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.9)).train(training)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    x, y = torch.randn(8, 4), torch.zeros(8, dtype=torch.int64)
    first, second = (evaluate(net, [(x, y)], 4) for _ in range(2))
    assert first == second and net.training is training
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    with pytest.raises(RuntimeError):
        evaluate(net, [(torch.randn(8, 5), y)], 4)
    assert net.training is training
