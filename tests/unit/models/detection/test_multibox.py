"""Matching, hard negatives and loss against a slow, plain restatement of SSD's rules."""

import math

import pytest
import torch

from nas.models.detection import detections_of, make_priors, match, multibox_loss, num_matched

PRIORS = make_priors().float()[::13]


def random_boxes(generator, num):
    corners = torch.rand(num, 2, 2, generator=generator).sort(dim=1).values
    return torch.cat([corners[:, 0], corners[:, 1] + 0.02], dim=1).clamp(0, 1)


def corners_of(prior):
    x, y, w, h = prior
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return common / (area - common)


def plain_match(boxes, labels, priors):
    """One prior after the other, with numbers in place of tensors."""
    overlaps = [[iou(corners_of(prior), box) for box in boxes] for prior in priors]
    chosen = [
        max(range(len(boxes)), key=row.__getitem__) if max(row) >= 0.5 else None for row in overlaps
    ]
    for index in range(len(boxes)):
        best = max(range(len(priors)), key=lambda p: overlaps[p][index])
        chosen[best] = index
    rows = []
    for (x, y, w, h), index in zip(priors, chosen, strict=True):
        if index is None:
            rows.append([0.0] * 5)
            continue
        x1, y1, x2, y2 = boxes[index]
        rows.append(
            [
                labels[index] + 1,
                ((x1 + x2) / 2 - x) / w / 0.1,
                ((y1 + y2) / 2 - y) / h / 0.1,
                math.log((x2 - x1) / w) / 0.2,
                math.log((y2 - y1) / h) / 0.2,
            ]
        )
    return rows


def plain_loss(logits, offsets, targets):
    class_loss = box_loss = 0.0
    for image in range(len(logits)):
        negatives = []
        matched = 0
        for row, guess, target in zip(
            logits[image].tolist(), offsets[image].tolist(), targets[image].tolist(), strict=True
        ):
            largest = max(row)
            log_sum = largest + math.log(sum(math.exp(v - largest) for v in row))
            loss = log_sum - row[int(target[0])]
            if target[0] == 0:
                negatives.append(loss)
                continue
            matched += 1
            class_loss += loss
            for a, b in zip(guess, target[1:], strict=True):
                difference = abs(a - b)
                box_loss += difference**2 / 2 if difference < 1 else difference - 0.5
        class_loss += sum(sorted(negatives, reverse=True)[: 3 * matched])
    return class_loss, box_loss


@pytest.mark.parametrize("seed", range(4))
def test_against_the_plain_rules(seed):
    """Targets and both losses on random boxes, with an image without objects in the batch."""
    generator = torch.Generator().manual_seed(seed)
    targets = []
    for num in (0, 1, 3, 7):
        boxes = random_boxes(generator, num)
        labels = torch.randint(0, 4, (num,), generator=generator)
        targets.append(match(boxes, labels, PRIORS))
        if num:
            expected = plain_match(boxes.tolist(), labels.tolist(), PRIORS.tolist())
            torch.testing.assert_close(targets[-1], torch.tensor(expected), rtol=2e-4, atol=2e-4)
        else:
            assert not targets[-1].any()
    target = torch.stack(targets)
    logits = torch.randn(4, len(PRIORS), 5, generator=generator) * 3
    offsets = torch.randn(4, len(PRIORS), 4, generator=generator) * 2
    losses = torch.stack(multibox_loss(logits, offsets, target))
    torch.testing.assert_close(
        losses, torch.tensor(plain_loss(logits, offsets, target)), rtol=1e-5, atol=1e-4
    )
    assert num_matched(target) == (target[..., 0] > 0).sum() >= 11 - 3


def test_encoding_and_decoding_round_trip():
    """A detector that answers the targets detects the objects."""
    generator = torch.Generator().manual_seed(0)
    boxes = torch.tensor([[0.1, 0.1, 0.4, 0.5], [0.5, 0.5, 0.95, 0.9], [0.6, 0.05, 0.9, 0.3]])
    labels = torch.tensor([2, 0, 1])
    priors = make_priors().float()
    target = match(boxes, labels, priors)
    logits = torch.zeros(len(priors), 4)
    logits.scatter_(1, target[:, :1].long(), 20 + torch.rand(len(priors), 1, generator=generator))
    (detections,) = detections_of(logits[None], target[None, :, 1:], priors)
    order = detections.labels.argsort()
    assert detections.labels[order].tolist() == [0, 1, 2]
    torch.testing.assert_close(detections.boxes[order], boxes[[1, 2, 0]], rtol=0, atol=1e-5)


def test_loss_without_objects_is_zero():
    """A batch without a match has no loss, so that its step is no step."""
    targets = torch.zeros(2, len(PRIORS), 5)
    losses = multibox_loss(torch.randn(2, len(PRIORS), 3), torch.randn(2, len(PRIORS), 4), targets)
    assert [loss.item() for loss in losses] == [0, 0]
