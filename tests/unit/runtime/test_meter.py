"""Means over images."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.runtime.meter import Meter


def test_meter_counts_every_sample_once():
    """Means over samples, not over batches of different sizes."""
    torch.manual_seed(0)
    logits, targets = torch.randn(10, 4), torch.randint(4, (10,))
    meter = Meter()
    for part in (slice(0, 7), slice(7, 10)):
        meter.update(cross_entropy(logits[part], targets[part]), logits[part], targets[part])
    assert meter.loss == pytest.approx(cross_entropy(logits, targets).item(), rel=1e-6)
    assert meter.accuracy == 10 * (logits.argmax(1) == targets).sum().item()
    other = Meter()
    other.load_state_dict(meter.state_dict())
    assert (other.loss, other.accuracy) == (meter.loss, meter.accuracy)
