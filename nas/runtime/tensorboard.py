"""Log the epochs of a run to TensorBoard."""

from typing import Any

from torch.utils.tensorboard import SummaryWriter

from nas.runtime.run_directory import RunDirectory, writing


class RunLog:
    """Writes the record of each epoch to TensorBoard."""

    def __init__(self, run: RunDirectory, scalars: tuple[str, ...]):
        """Log the values named in `scalars` that a record has."""
        self.run = run
        self.scalars = scalars
        self.writer: SummaryWriter | None = None

    def start(self, epoch: int) -> None:
        """Open the writer; entries from `epoch` on are replaced."""
        with writing(self.run.tensorboard):
            self.writer = SummaryWriter(str(self.run.tensorboard), purge_step=epoch or None)

    def close(self) -> None:
        """Write what is still in memory, and close."""
        if self.writer is not None:
            with writing(self.run.tensorboard):
                self.writer.close()

    def on_epoch(self, record: dict[str, Any]) -> None:
        """Log the record of an epoch, as in metrics.jsonl.

        Raises:
            RunDirectoryError: It cannot be written.
        """
        assert self.writer is not None  # `start` opens it
        with writing(self.run.tensorboard):
            self.log(record)
            self.writer.flush()

    def log(self, record: dict[str, Any]) -> None:
        """Add the record to the writer; a subclass adds more."""
        assert self.writer is not None
        for name in self.scalars:
            if name in record:
                self.writer.add_scalar(name, record[name], record.get("iteration", record["epoch"]))
