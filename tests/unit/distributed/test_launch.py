"""What torchrun tells a process, and what one alone does."""

import pytest
import torch

from nas.distributed.launch import Launch, read_launch
from nas.distributed.ranks import ALONE
from nas.distributed.session import join_ranks
from nas.errors import ConfigError
from nas.runtime.device import select_device

TORCHRUN = {"RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "8", "MASTER_ADDR": "node0"}


@pytest.fixture
def torchrun(monkeypatch):
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)


def test_alone(monkeypatch):
    """Without torchrun, also where some of its variables are left over."""
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RANK", "3")
    assert read_launch() == Launch(0, 0, 1, 0)
    with join_ranks(torch.device("cpu")) as ranks:
        assert ranks is ALONE


def test_under_torchrun(torchrun, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    assert read_launch() == Launch(5, 1, 8, 2)
    monkeypatch.setenv("WORLD_SIZE", "many")
    with pytest.raises(ConfigError, match="WORLD_SIZE: expected a number, found 'many'"):
        read_launch()


def test_more_processes_than_gpus(torchrun, monkeypatch):
    """The second process of a machine with one GPU says so."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="process 1 of this machine has no GPU, there are 1"):
        select_device("auto")
    assert select_device("cpu").type == "cpu"


def test_one_process_changes_nothing():
    """Every collective is the identity: a loop never asks how many ranks there are."""
    x = torch.ones(2, requires_grad=True)
    ALONE.mean_([x])
    ALONE.sum_(x)
    ALONE.broadcast_([x])
    ALONE.check_equal([x], "x")
    assert x.tolist() == [1, 1]
    assert ALONE.mean_in_graph([x]) == [x] and ALONE.largest(3, 0) == (3, 0)
    assert ALONE.gather({"a": 1}) == [{"a": 1}] and ALONE.bytes_from_first(lambda: b"x") == b"x"
    assert ALONE.on_first(lambda: 7) == 7 == ALONE.first_then_others(lambda: 7)
    net = torch.nn.Linear(1, 1)
    assert ALONE.parallel(net) is net
