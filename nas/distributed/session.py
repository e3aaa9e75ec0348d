"""Join the processes that torchrun started, check that they agree, and leave in order."""

import contextlib
import datetime
import logging
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from nas.config import AugmentConfig, DetectConfig, SearchConfig
from nas.distributed.launch import read_launch
from nas.distributed.ranks import ALONE, Ranks, TorchRanks
from nas.errors import ConfigError, DistributedError, NasError
from nas.signals import HANDLED

TIMEOUT = datetime.timedelta(minutes=30)
"""How long a rank waits for the others, for example while one reads its data."""
GRACE_S = 20.0
"""A rank that was told to stop and hangs, for example because another one died, exits then."""
LoopConfig = SearchConfig | AugmentConfig | DetectConfig
_log = logging.getLogger(__name__)
_LOST = re.compile(r"gloo|nccl|connection|socket|peer|process group|store", re.IGNORECASE)


@contextlib.contextmanager
def join_ranks(device: torch.device) -> Iterator[Ranks]:
    """Join the other processes of this run; without torchrun there are none.

    Only rank 0 prints on stdout; an error of another rank names the rank.

    Args:
        device: The device of this process, see `select_device`.

    Raises:
        DistributedError: The other processes cannot be reached; also raised in the body.
    """
    launch = read_launch()
    if launch.size == 1:
        yield ALONE
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(_named_errors(launch.rank))
        stack.enter_context(_leaving_when_hung(launch.rank))
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        store, rank, size = next(dist.rendezvous("env://", timeout=TIMEOUT))
        if launch.restarts and launch.is_one_machine:
            # torchrun keeps its store over a restart, with the addresses of dead processes.
            store = dist.PrefixStore(f"restart_{launch.restarts}", store)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
        stack.callback(dist.destroy_process_group)
        if launch.rank:
            silence = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(contextlib.redirect_stdout(silence))
        yield TorchRanks(device)


def check_ranks(config: LoopConfig, ranks: Ranks, device: torch.device) -> None:
    """Check that the settings fit the number of processes and are the same in all of them.

    Raises:
        ConfigError: The batch cannot be divided, or `sync_batchnorm` has no effect.
        DistributedError: The processes were started with different settings.
    """
    if config.batch_size % ranks.size or config.batch_size // ranks.size < 2:
        raise ConfigError(
            f"batch_size: found {config.batch_size}, which cannot be divided evenly among "
            f"{ranks.size} processes; use a multiple of {ranks.size}, at least {2 * ranks.size}"
        )
    config.check_compute(config.batch_size // ranks.size)
    if config.sync_batchnorm and device.type != "cuda":
        raise ConfigError("sync_batchnorm: needs a GPU, found `device` cpu")
    if config.sync_batchnorm and ranks.size == 1:
        raise ConfigError("sync_batchnorm: has no effect with one process; start with torchrun")
    settings = torch.frombuffer(bytearray(repr(config).encode()), dtype=torch.uint8)
    ranks.check_equal([settings], "the settings")


def prepare_network(net: nn.Module, config: LoopConfig, ranks: Ranks) -> nn.Module:
    """Synchronize BatchNorm if the settings ask for it, and seed each rank differently.

    Call it when the network is built: until then all ranks draw the same numbers (weights),
    afterwards different ones (drop path).
    """
    if ranks.rank:
        torch.manual_seed(torch.initial_seed() + 1_000_003 * ranks.rank)
    return nn.SyncBatchNorm.convert_sync_batchnorm(net) if config.sync_batchnorm else net


def format_ranks(config: LoopConfig, ranks: Ranks) -> str:
    """Return how a batch is divided and the learning rate scaled, for the first line of a run."""
    words = []
    if ranks.size > 1:
        norm = "over all" if config.sync_batchnorm else "in each"
        words.append(
            f"{ranks.size} processes with {config.batch_size // ranks.size} images of a batch "
            f"each, BatchNorm {norm}"
        )
    if config.reference_batch_size is not None:
        words.append(f"learning rates times {config.learning_rate_scale:g}")
    return "".join(f"; {word}" for word in words)


@contextlib.contextmanager
def _named_errors(rank: int) -> Iterator[None]:
    """Name the rank in an error; turn a failed collective into one line."""
    try:
        yield
    except NasError as error:
        error.args = (f"{error} (rank {rank})",)
        raise
    except RuntimeError as cause:
        if not _LOST.search(str(cause)):
            raise
        reason = " ".join(str(cause).split())[:160]
        raise DistributedError(
            f"another rank failed, see its error ({reason}); this rank wrote no checkpoint; "
            f"continue from the last one with `resume` (rank {rank})"
        ) from cause


@contextlib.contextmanager
def _leaving_when_hung(rank: int) -> Iterator[None]:
    """End the process some time after it was told to stop, if it hangs.

    Python runs no signal handler while a collective waits, but it still writes the number of the
    signal to a file descriptor, which a thread reads.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    previous = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    done = threading.Event()

    def watch() -> None:
        while (signum := os.read(reading, 1)) and signum[0] not in HANDLED:
            pass
        if signum and not done.wait(GRACE_S):
            _log.error(
                "rank %d: told to stop %.0f s ago and still waiting for the other ranks; leaving "
                "without a checkpoint",
                rank,
                GRACE_S,
            )
            os._exit(128 + signum[0])

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()
        signal.set_wakeup_fd(previous)
        os.close(writing)  # ends the thread where it still reads
