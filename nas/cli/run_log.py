"""What a run shows while it goes on: TensorBoard scalars."""

from typing import Any

from torch.utils.tensorboard import SummaryWriter

from nas.runtime.run_directory import RunDirectory


class RunLog:
    """Receives the record of each epoch; owns the TensorBoard writer."""

    def __init__(self, run: RunDirectory, scalars: tuple[str, ...]):
        """Log those of `scalars` that a record has."""
        self.run = run
        self.scalars = scalars
        self.writer: SummaryWriter | None = None

    def start(self, epoch: int) -> None:
        """Open the writer; what TensorBoard shows from `epoch` on is replaced."""
        self.writer = SummaryWriter(str(self.run.tensorboard), purge_step=epoch or None)

    def close(self) -> None:
        """Write out what is still in memory."""
        if self.writer is not None:
            self.writer.close()

    def on_epoch(self, record: dict[str, Any]) -> None:
        """Log an epoch: the record that went to metrics.jsonl."""
        for name in self.scalars:
            if name in record:
                self.writer.add_scalar(name, record[name], record["epoch"])
        self.writer.flush()


class SilentLog:
    """The log of the processes that write nothing."""

    def start(self, epoch: int) -> None:
        """Open nothing."""

    def close(self) -> None:
        """Close nothing."""

    def on_epoch(self, record: dict[str, Any]) -> None:
        """Log nothing."""
