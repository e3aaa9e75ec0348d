"""The cells of a search over its epochs, as an animated GIF."""

import dataclasses
import io
from pathlib import Path

from PIL import Image

from nas.errors import ReportError
from nas.files import write_files
from nas.genotype import Genotype
from nas.report.cells.diagram import cell_source
from nas.report.cells.graphviz import render
from nas.report.checks import METRICS
from nas.report.run import Run, cells_of_record, read_run

_MAX_WIDTH = 1000
"""Pixels; diagrams are drawn for print and are wider."""
_FRAME_MS = 900
_LAST_FRAME_MS = 3000


def write_gif(run_dir: str | Path) -> Path:
    """Write cells.gif: both cells of a search, a frame whenever they changed.

    Args:
        run_dir: The run directory of a search, finished or not.

    Returns:
        The path of cells.gif.

    Raises:
        ReportError: It is not a search, its cells never changed, a file in it is
            damaged, or the picture cannot be drawn or written.
        GenotypeError: genotype.json is damaged.
        SearchSpaceError: space.yaml is damaged.
    """
    run = read_run(run_dir)
    if run.kind != "search":
        raise ReportError(f"{run.path}: the cells of a {run.noun} do not change")
    changes = cell_changes(run)
    if len(changes) < 2:
        raise ReportError(
            f"{run.path}: the cells did not change in {len(run.metrics)} epochs, so there "
            "is nothing to animate"
        )
    frames = _same_size([_draw(run, epoch, genotype) for epoch, genotype in changes])
    content = io.BytesIO()
    frames[0].save(
        content,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[_FRAME_MS] * (len(frames) - 1) + [_LAST_FRAME_MS],
        loop=0,
    )
    return write_files({run.path / "cells.gif": content.getvalue()})[0]


def cell_changes(run: Run) -> list[tuple[int, Genotype]]:
    """Return the cells after the first epoch and after each that changed them, with the epoch."""
    changes: list[tuple[int, Genotype]] = []
    for record in run.metrics:
        genotype = cells_of_record(record, run.path / METRICS)
        if genotype is not None and (not changes or genotype != changes[-1][1]):
            changes.append((record["epoch"], genotype))
    return changes


def _draw(run: Run, epoch: int, genotype: Genotype) -> Image.Image:
    """Draw the cells below each other, with the epoch in their titles."""
    operators = dict(run.genotype.operators) if run.genotype else {}
    space = run.space.name if run.space else "of the run"
    titled = dataclasses.replace(
        genotype,
        operators={**genotype.operators, **operators},
        space={"name": f"{space}, epoch {epoch}"},
    )
    cells = []
    for cell_type in genotype.kind.cell_types:
        picture = render(cell_source(titled, cell_type).source, "png")
        cells.append(Image.open(io.BytesIO(picture)).convert("RGB"))
    return _stack(cells)


def _stack(cells: list[Image.Image]) -> Image.Image:
    width = max(cell.width for cell in cells)
    stacked = Image.new("RGB", (width, sum(cell.height for cell in cells)), "white")
    top = 0
    for cell in cells:
        stacked.paste(cell, ((width - cell.width) // 2, top))
        top += cell.height
    return stacked


def _same_size(frames: list[Image.Image]) -> list[Image.Image]:
    """Center the frames on one size, scale them equally, and give each 64 colors."""
    width, height = (max(frame.size[axis] for frame in frames) for axis in (0, 1))
    scale = min(1.0, _MAX_WIDTH / width)
    size = (round(width * scale), round(height * scale))
    even = []
    for frame in frames:
        whole = Image.new("RGB", (width, height), "white")
        whole.paste(frame, ((width - frame.width) // 2, (height - frame.height) // 2))
        even.append(whole.resize(size, Image.Resampling.LANCZOS).quantize(64))
    return even
