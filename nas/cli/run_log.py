"""What a run shows while it goes on: TensorBoard scalars and wall-clock times."""

import time
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter

from nas.runtime.device import peak_memory_mib
from nas.runtime.run_directory import RunDirectory


class RunLog:
    """Receives the record of each epoch; owns the TensorBoard writer and the clock."""

    def __init__(self, run: RunDirectory, scalars: tuple[str, ...], device: torch.device):
        """Log those of `scalars` that a record has."""
        self.run = run
        self.scalars = scalars
        self.device = device
        self.writer: SummaryWriter | None = None
        self.started_s = 0.0

    def start(self, epoch: int) -> None:
        """Open the writer; what TensorBoard shows from `epoch` on is replaced."""
        self.writer = SummaryWriter(str(self.run.tensorboard), purge_step=epoch or None)
        self.started_s = time.perf_counter()

    def close(self) -> None:
        """Write out what is still in memory."""
        if self.writer is not None:
            self.writer.close()

    def on_epoch(self, record: dict[str, Any]) -> None:
        """Log an epoch: the record that went to metrics.jsonl."""
        now_s = time.perf_counter()
        timing = {
            "epoch": record["epoch"],
            "time_s": round(now_s - self.started_s, 3),
            "peak_memory_mib": round(peak_memory_mib(self.device), 1),
        }
        self.run.append("timing.jsonl", timing)
        self.started_s = now_s
        for name in self.scalars:
            if name in record:
                self.writer.add_scalar(name, record[name], record["epoch"])
        self.writer.flush()
