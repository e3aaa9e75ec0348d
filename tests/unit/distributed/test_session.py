"""What processes with a GPU each do otherwise, as far as it can be seen without one."""

import pytest
import torch
import torch.distributed as dist
from torch import nn

from nas.config import SearchConfig
from nas.distributed import session
from nas.distributed.launch import Launch
from nas.distributed.ranks import ALONE
from nas.errors import DistributedError


@pytest.fixture
def begun(monkeypatch):
    """Two processes that torchrun would have started; returns what torch.distributed is told."""
    calls = []
    monkeypatch.setattr(session, "read_launch", lambda: Launch(size=2))
    monkeypatch.setattr(session, "TorchRanks", lambda device: device)
    monkeypatch.setattr(dist, "rendezvous", lambda url, timeout: iter([(None, 0, 2)]))
    monkeypatch.setattr(dist, "init_process_group", lambda backend, **_: calls.append(backend))
    monkeypatch.setattr(dist, "destroy_process_group", lambda: calls.append("left"))
    return calls


@pytest.mark.parametrize(
    ("device", "backend"), [("cuda", "cpu:gloo,cuda:nccl"), ("cpu", "gloo")], ids=["gpu", "cpu"]
)
def test_how_ranks_talk(begun, device, backend):
    """GPUs over nccl; what is on the host, such as signals and states, over gloo."""
    with session.join_ranks(torch.device(device)) as ranks:
        assert ranks == torch.device(device)
    assert begun == [backend, "left"]


@pytest.mark.parametrize("said", ["NCCL error: remote process exited", "Connection reset by peer"])
def test_a_lost_rank_is_one_clear_error(begun, said):
    """Whichever library notices it."""
    with (
        pytest.raises(DistributedError, match=rf"another rank failed.*\({said}\).*`resume`"),
        session.join_ranks(torch.device("cuda")),
    ):
        raise RuntimeError(said)
    assert begun[-1] == "left"


def test_sync_batchnorm_replaces_every_norm():
    """The conversion alone; tests/distributed/ranks.py computes what it does, on CPUs."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm2d(4)))
    found = session.prepare_network(net, SearchConfig(sync_batchnorm=True), ALONE)
    assert sum(type(module) is nn.SyncBatchNorm for module in found.modules()) == 2
    assert session.prepare_network(net, SearchConfig(), ALONE) is net
