"""What a search shows in addition to curves: heat maps of the alphas and cell diagrams."""

import logging
from typing import Any

import numpy
from PIL import Image

from nas.errors import ReportError
from nas.genotype import Genotype
from nas.operators import with_details
from nas.report.figures.alphas import alpha_heat_map
from nas.runtime.run_directory import RunDirectory
from nas.runtime.tensorboard import RunLog
from nas.space import SearchSpace, get_cell_family

_LOGGER = logging.getLogger(__name__)
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

    def __init__(self, run: RunDirectory, space: SearchSpace):
        super().__init__(run, _SCALARS)
        self.space = space
        self.genotype: Genotype | None = None

    def log(self, record: dict[str, Any]) -> None:
        """Hand the record to the writer, with alphas, and cells that have changed."""
        epoch = record["epoch"]
        by_group = {name: record[name] for name in ("entropy", "num_skips")}
        for name, values in (by_group | record.get("collapse", {})).items():
            for group, value in values.items():
                self.writer.add_scalar(f"{name}/{group}", value, epoch)
        for name, value in record.get("measures", {}).items():
            self.writer.add_scalar(name, value, epoch)
        self._log_weights(record)
        genotype = Genotype(**record["genotype"])
        if genotype != self.genotype:
            self.genotype = genotype
            self._log_cells(genotype, epoch)
        super().log(record)

    def _log_weights(self, record: dict[str, Any]) -> None:
        for group, rows in record["arch_weights"].items():
            weights = numpy.array(rows, dtype=float)  # None, where there is no pair, becomes NaN
            title = f"{group}, epoch {record['epoch']}"
            picture = alpha_heat_map(weights, self.space.primitives, self.space.edges, title)
            self.writer.add_image(f"alphas/{group}", picture, record["epoch"], dataformats="HWC")

    def _log_cells(self, genotype: Genotype, epoch: int) -> None:
        try:
            draw = get_cell_family(self.space.family).load("draw")
            paths = draw(with_details(genotype, self.space, {}), self.run.path)
        except ReportError as error:  # a picture is not worth a search
            _LOGGER.warning("no cell diagram: %s", error)
            return
        for path in paths:
            if path.suffix == ".png":
                picture = numpy.asarray(Image.open(path).convert("RGB"))
                self.writer.add_image(path.stem, picture, epoch, dataformats="HWC")
