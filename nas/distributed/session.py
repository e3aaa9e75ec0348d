"""Join the processes that torchrun started, and part from them, in order or not."""

import contextlib
import datetime
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed as dist

from nas.distributed.launch import read_launch
from nas.distributed.ranks import ALONE, Ranks, TorchRanks
from nas.errors import DistributedError, NasError
from nas.signals import HANDLED

TIMEOUT = datetime.timedelta(minutes=30)
"""How long a rank waits for the others, such as for one that still reads its data."""
GRACE_S = 20.0
"""A rank that was told to stop and hangs, as in a collective of a dead rank, leaves after this."""
_LOST = re.compile(r"gloo|nccl|connection|socket|peer|process group|store", re.IGNORECASE)


@contextlib.contextmanager
def join_ranks(device: torch.device) -> Iterator[Ranks]:
    """Meet the other processes of this run; without torchrun there are none.

    Only the first rank prints on stdout; an error of another names the rank.

    Args:
        device: Of this process, see `select_device`.

    Raises:
        DistributedError: (from the body too) the others cannot be reached any more.
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
            # torchrun keeps its store over a restart, with the addresses of those who died.
            store = dist.PrefixStore(f"restart_{launch.restarts}", store)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
        stack.callback(dist.destroy_process_group)
        if launch.rank:
            silence = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(contextlib.redirect_stdout(silence))
        yield TorchRanks(device)


@contextlib.contextmanager
def _named_errors(rank: int) -> Iterator[None]:
    """Say which rank an error is of; a collective that failed becomes one line."""
    try:
        yield
    except NasError as error:
        error.args = (f"rank {rank}: {error}",)
        raise
    except RuntimeError as cause:
        if not _LOST.search(str(cause)):
            raise
        reason = " ".join(str(cause).split())[:160]
        raise DistributedError(
            f"rank {rank}: lost the other ranks ({reason}); one of them has died, see what it "
            "says; no checkpoint was written here; continue from the last one with --resume"
        ) from cause


@contextlib.contextmanager
def _leaving_when_hung(rank: int) -> Iterator[None]:
    """End the process some time after it was told to stop, if it cannot itself.

    Python runs no handler while a collective waits, but it still writes the number of the signal
    to a file descriptor, which a thread reads.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    previous = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    done = threading.Event()

    def watch() -> None:
        while (found := os.read(reading, 1)) and found[0] not in HANDLED:
            pass
        if found and not done.wait(GRACE_S):
            print(
                f"rank {rank}: told to stop {GRACE_S:.0f} s ago and still waiting for the other "
                "ranks; leaving without a checkpoint",
                file=sys.stderr,
                flush=True,
            )
            os._exit(128 + found[0])

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()
        signal.set_wakeup_fd(previous)
        os.close(writing)  # ends the thread where it still reads
