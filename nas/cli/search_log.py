"""What a search shows while it runs: TensorBoard, wall-clock times, cell diagrams."""

import resource
import sys
import time
from typing import Any

import numpy
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from nas.errors import ReportError
from nas.genotype import Genotype
from nas.report.diagram import draw_cells
from nas.report.plots import alpha_heat_map
from nas.runtime.run_directory import RunDirectory
from nas.search import with_details
from nas.space import CELL_TYPES, SearchSpace
from nas.supernet import Alphas

_SCALARS = (
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "num_parameters",
    "madds",
)


class SearchLog:
    """Receives the record of each epoch; owns the TensorBoard writer and the clock."""

    def __init__(self, run: RunDirectory, space: SearchSpace, alphas: Alphas):
        self.run = run
        self.space = space
        self.alphas = alphas
        self.genotype: Genotype | None = None
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
        epoch = record["epoch"]
        now_s = time.perf_counter()
        timing = {
            "epoch": epoch,
            "time_s": round(now_s - self.started_s, 3),
            "peak_memory_mib": round(_peak_memory_mib(), 1),
        }
        self.run.append("timing.jsonl", timing)
        self.started_s = now_s
        for name in _SCALARS:
            self.writer.add_scalar(name, record[name], epoch)
        for name in ("entropy", "num_skips"):
            for cell_type in CELL_TYPES:
                self.writer.add_scalar(f"{name}/{cell_type}", record[name][cell_type], epoch)
        self._log_alphas(epoch)
        genotype = Genotype(**record["genotype"])
        if genotype != self.genotype:
            self.genotype = genotype
            self._log_cells(genotype, epoch)
        self.writer.flush()

    def _log_alphas(self, epoch: int) -> None:
        for cell_type, weights in zip(CELL_TYPES, self.alphas.weights(), strict=True):
            mask = numpy.array(self.space.mask(cell_type))
            shown = numpy.where(mask, weights.detach().cpu().numpy(), numpy.nan)
            picture = alpha_heat_map(
                shown, self.space.primitives, self.space.edges, f"{cell_type}, epoch {epoch}"
            )
            self.writer.add_image(f"alphas/{cell_type}", picture, epoch, dataformats="HWC")

    def _log_cells(self, genotype: Genotype, epoch: int) -> None:
        try:
            paths = draw_cells(with_details(genotype, self.space, {}), self.run.path)
        except ReportError as error:  # a picture is not worth a search
            print(f"search.py: no cell diagram: {error}", file=sys.stderr)
            return
        for path in paths:
            if path.suffix == ".png":
                picture = numpy.asarray(Image.open(path).convert("RGB"))
                self.writer.add_image(path.stem, picture, epoch, dataformats="HWC")


def _peak_memory_mib() -> float:
    """Largest resident memory of this process so far; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
