"""Choice of the device."""

import pytest
import torch

from nas.errors import ConfigError
from nas.runtime.device import all_to_host, select_device


def test_device(monkeypatch):
    """The setting auto falls back to the CPU, cuda does not."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert select_device("auto").type == select_device("cpu").type == "cpu"
    with pytest.raises(ConfigError, match="device: found cuda"):
        select_device("cuda")


def test_tables_on_the_host():
    """With their shapes and numbers, and without a graph."""
    tables = {"a": torch.rand(2, 3, requires_grad=True), "b": torch.rand(4), "c": torch.rand(())}
    found = all_to_host(tables)
    assert list(found) == list(tables)
    for name, table in tables.items():
        assert torch.equal(found[name], table) and not found[name].requires_grad
