"""Choice of the device."""

import pytest
import torch

from nas.errors import ConfigError
from nas.runtime.device import select_device


def test_device(monkeypatch):
    """The setting auto falls back to the CPU, cuda does not."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert select_device("auto").type == select_device("cpu").type == "cpu"
    with pytest.raises(ConfigError, match="device: found cuda"):
        select_device("cuda")
