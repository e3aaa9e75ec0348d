"""What a search shows in addition to curves: heat maps of the alphas and cell diagrams."""

import logging
from typing import Any

import numpy
from PIL import Image

from nas.errors import ReportError
from nas.report.figures.alphas import alpha_heat_map
from nas.runtime.run_directory import RunDirectory
from nas.runtime.tensorboard import RunLog
from nas.search.kind import Found, kind_of
from nas.space import Space

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

    def __init__(self, run: RunDirectory, space: Space):
        super().__init__(run, _SCALARS)
        self.space = space
        self.found: Found | None = None

    def log(self, record: dict[str, Any]) -> None:
        """Hand the record to the writer, with alphas, and cells that have changed."""
        epoch = record["epoch"]
        by_group = {name: record[name] for name in ("entropy", "num_skips") if name in record}
        for name, values in (by_group | record.get("collapse", {})).items():
            for group, value in values.items():
                self.writer.add_scalar(f"{name}/{group}", value, epoch)
        for name, value in record.get("measures", {}).items():
            self.writer.add_scalar(name, value, epoch)
        self._log_weights(record)
        found = kind_of(self.space).read(record)
        if found != self.found:
            self.found = found
            self._log_found(found, epoch)
        super().log(record)

    def _log_weights(self, record: dict[str, Any]) -> None:
        for group, rows in record["arch_weights"].items():
            weights = numpy.array(rows, dtype=float)  # None, where there is no pair, becomes NaN
            title = f"{group}, epoch {record['epoch']}"
            picture = alpha_heat_map(
                weights, self.space.columns(group), self.space.row_names(group), title
            )
            self.writer.add_image(f"alphas/{group}", picture, record["epoch"], dataformats="HWC")

    def _log_found(self, found: Found, epoch: int) -> None:
        try:
            whole = kind_of(self.space).with_details(found, {}, ())
            paths = self.space.kind.load("draw")(whole, self.run.path)
        except ReportError as error:  # a picture is not worth a search
            _LOGGER.warning("no diagram: %s", error)
            return
        for path in paths:
            if path.suffix == ".png":
                picture = numpy.asarray(Image.open(path).convert("RGB"))
                self.writer.add_image(path.stem, picture, epoch, dataformats="HWC")
