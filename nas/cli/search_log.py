"""What a search shows besides curves: heat maps of the alphas and cell diagrams."""

import sys
from typing import Any

import numpy
from PIL import Image

from nas.errors import ReportError
from nas.genotype import Genotype
from nas.operators import with_details
from nas.report.cells.diagram import draw_cells
from nas.report.figures.alphas import alpha_heat_map
from nas.runtime.run_directory import RunDirectory
from nas.runtime.tensorboard import RunLog
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


class SearchLog(RunLog):
    """Adds what only a search has to the log of a run."""

    def __init__(self, run: RunDirectory, space: SearchSpace, alphas: Alphas):
        super().__init__(run, _SCALARS)
        self.space = space
        self.alphas = alphas
        self.genotype: Genotype | None = None

    def log(self, record: dict[str, Any]) -> None:
        """Hand the record to the writer, with alphas, and cells that have changed."""
        epoch = record["epoch"]
        for name in ("entropy", "num_skips"):
            for cell_type in CELL_TYPES:
                self.writer.add_scalar(f"{name}/{cell_type}", record[name][cell_type], epoch)
        self._log_alphas(epoch)
        genotype = Genotype(**record["genotype"])
        if genotype != self.genotype:
            self.genotype = genotype
            self._log_cells(genotype, epoch)
        super().log(record)

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
