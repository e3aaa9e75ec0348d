"""Average precisions against published implementations, on random and on degenerate inputs."""

from pathlib import Path

import numpy
import pytest
import torch
from torchvision.ops import box_iou

from nas.data.voc import VocImage
from nas.detect.average_precision import area, coco_precision, eleven_points, voc_curve
from nas.models.detection import Detections

mean_average_precision = pytest.importorskip("mean_average_precision")
torchmetrics = pytest.importorskip("torchmetrics.detection")


def boxes(generator, num):
    corner = torch.rand(num, 2, generator=generator) * 0.6
    size = torch.rand(num, 2, generator=generator) * 0.35 + 0.05
    return torch.cat([corner, corner + size], dim=1)


def image(found, labels, difficult):
    return VocImage(Path("x"), 1, 1, found, labels, difficult)


def random_case(seed, num_images=6, ties=False):
    generator = torch.Generator().manual_seed(seed)
    images, detections = [], []
    for _ in range(num_images):
        num = int(torch.randint(0, 6, (), generator=generator))
        truth = boxes(generator, num)
        labels = torch.randint(0, 3, (num,), generator=generator)
        difficult = torch.rand(num, generator=generator) < 0.2
        near = truth.repeat(2, 1) + torch.randn(2 * num, 4, generator=generator) * 0.03
        near[:, 2:] = torch.maximum(near[:, 2:], near[:, :2] + 0.02)
        found = torch.cat([near, boxes(generator, 4)])
        found_labels = torch.cat([labels.repeat(2), torch.randint(0, 3, (4,), generator=generator)])
        scores = torch.rand(len(found), generator=generator)
        if ties:
            scores = (scores * 4).round() / 4
        order = scores.argsort(descending=True, stable=True)
        images.append(image(truth, labels, difficult))
        detections.append(Detections(found[order], scores[order], found_labels[order]))
    return images, detections


def nothing(num=0):
    return Detections(torch.empty(num, 4), torch.empty(num), torch.empty(num, dtype=torch.int64))


def degenerate_cases():
    box = torch.tensor([[0.1, 0.1, 0.5, 0.5]])
    label, easy, hard = (
        torch.zeros(1, dtype=torch.int64),
        torch.tensor([False]),
        torch.tensor([True]),
    )
    hit = Detections(box, torch.tensor([0.9]), label)
    none = image(torch.empty(0, 4), torch.empty(0, dtype=torch.int64), torch.empty(0).bool())
    twice = Detections(box.repeat(3, 1), torch.tensor([0.9, 0.8, 0.8]), label.repeat(3))
    return {
        "no detections": ([image(box, label, easy)], [nothing()]),
        "no objects": ([none, image(box, label, easy)], [hit, hit]),
        "difficult": ([image(box, label, hard), image(box, label, easy)], [twice, hit]),
        "duplicates and ties": ([image(box, label, easy)] * 2, [twice, hit]),
    }


CASES = {
    **{f"random {seed}": random_case(seed) for seed in range(8)},
    **degenerate_cases(),
}


def inclusive(found):
    """Return boxes in thousands of pixels, of which both ends are part of a box."""
    return found.double() * 1000 - torch.tensor([0, 0, 1, 1])


def oracle_voc(images, detections, recalls):
    """The implementation of the package mean-average-precision."""
    metric = mean_average_precision.MetricBuilder.build_evaluation_metric(
        "map_2d", async_mode=False, num_classes=3
    )
    for item, found in zip(images, detections, strict=True):
        zeros = torch.zeros(len(item.labels), 2)
        truth = torch.cat([inclusive(item.boxes), item.labels[:, None], zeros], dim=1)
        rows = [inclusive(found.boxes), found.labels[:, None], found.scores[:, None]]
        metric.add(torch.cat(rows, dim=1).numpy(), truth.numpy())
    result = metric.value(iou_thresholds=0.5, recall_thresholds=recalls)
    return [float(result[0.5][label]["ap"]) for label in range(3)]


def without_difficult(images, detections):
    """Leave out difficult objects and what detects them: that package counts them as objects."""
    kept_images, kept = [], []
    for item, found in zip(images, detections, strict=True):
        counted = []
        for box, label in zip(found.boxes, found.labels, strict=True):
            same = item.labels == label
            overlaps = box_iou(box[None], item.boxes)[0] * same
            best = overlaps.argmax() if len(overlaps) else 0
            counted.append(not (same.any() and overlaps[best] >= 0.5 and item.difficult[best]))
        chosen = torch.tensor(counted, dtype=torch.bool)
        kept.append(Detections(*(tensor[chosen] for tensor in found)))
        easy = ~item.difficult
        kept_images.append(image(item.boxes[easy], item.labels[easy], item.difficult[easy]))
    return kept_images, kept


@pytest.mark.parametrize("name", CASES)
def test_voc_rules(name):
    """11 points and area of every class."""
    images, detections = CASES[name]
    easy = without_difficult(images, detections)
    points = oracle_voc(*easy, numpy.arange(11) / 10)
    areas = oracle_voc(*easy, None)
    for label in range(3):
        curve = voc_curve(images, detections, label)
        if curve is None:
            assert not any(((i.labels == label) & ~i.difficult).any() for i in images)
            continue
        # The package computes in float32.
        assert eleven_points(curve) == pytest.approx(points[label], abs=1e-7)
        assert area(curve) == pytest.approx(areas[label], abs=1e-7)


@pytest.mark.parametrize("name", [*CASES, "ties"])
def test_coco_rule(name):
    """Pycocotools' mean over ten overlaps, class by class; difficult objects are its crowds."""
    images, detections = random_case(20, ties=True) if name == "ties" else CASES[name]
    # torchmetrics rounds its default thresholds to float32, which pycocotools does not.
    metric = torchmetrics.MeanAveragePrecision(
        class_metrics=True,
        backend="pycocotools",
        iou_thresholds=numpy.linspace(0.5, 0.95, 10).tolist(),
        rec_thresholds=numpy.linspace(0, 1, 101).tolist(),
    )
    metric.warn_on_many_detections = False
    for item, found in zip(images, detections, strict=True):
        # Scaled so that COCO's smallest areas play no part.
        metric.update(
            [{"boxes": found.boxes * 1000, "scores": found.scores, "labels": found.labels}],
            [
                {
                    "boxes": item.boxes * 1000,
                    "labels": item.labels,
                    "iscrowd": item.difficult.int(),
                }
            ],
        )
    result = metric.compute()
    expected = dict(
        zip(
            result["classes"].reshape(-1).tolist(),
            result["map_per_class"].reshape(-1).tolist(),
            strict=True,
        )
    )
    for label in range(3):
        value = coco_precision(images, detections, label)
        if value is not None:
            assert value == pytest.approx(expected[label], abs=1e-6)
        else:
            assert expected.get(label, -1) == -1
