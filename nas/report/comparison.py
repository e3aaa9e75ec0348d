"""Compare runs side by side in one HTML file: results, settings, curves and cells."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nas.errors import ReportError
from nas.files import write_files
from nas.png import png_bytes
from nas.report.detections import BLANK, NOTES, Column, detection_cells, detection_columns
from nas.report.figures.comparison_curves import comparison_figure
from nas.report.html import draw_cell_svgs, size_of_cells
from nas.report.html_images import data_uri
from nas.report.run import Run, read_run
from nas.report.searches import GUARD_COLUMNS, guard_rows
from nas.report.summary import Facts, facts_of, settings_of
from nas.report.templating import count, duration, percent, render_page
from nas.space import ChainSpace

_COLUMNS: tuple[Column, ...] = (
    *((name, False) for name in ("kind", "dataset", "space or genotype")),
    *((name, True) for name in ("seed", "epochs", "test top-1", "val")),
    *((name, True) for name in ("parameters", "multiply-adds", "time")),
)
_NOT_COMPARED = {"out", "resume"}
"""Settings that say where a run is, not what it is."""


def write_comparison(run_dirs: Sequence[str | Path], out: str | Path) -> Path:
    """Write one self-contained HTML file that compares runs.

    Args:
        run_dirs: At least two different run directories, finished or not.
        out: The file to write; its folder is created if it does not exist.

    Returns:
        The path of the file.

    Raises:
        ReportError: There are fewer than two runs, one of them is not a run directory, a file in
            one is damaged, or the file cannot be written.
        GenotypeError: A genotype.json is damaged.
        SearchSpaceError: A space.yaml is damaged.
    """
    runs = [read_run(path) for path in run_dirs]
    places = [run.path.resolve() for run in runs]
    if len(runs) < 2 or len(set(places)) < len(places):
        raise ReportError("a comparison needs at least two run directories, each named once")
    detectors = [run.name for run in runs if run.kind == "detection"]
    if 0 < len(detectors) < len(runs):
        raise ReportError(
            f"{detectors[0]}: is a run of a detector, and the others are not all; compare "
            "detectors with detectors, and other runs without them"
        )
    return write_files({Path(out): comparison_page(runs)})[0]


def comparison_page(runs: Sequence[Run]) -> bytes:
    """Return the HTML that compares runs."""
    names = distinct_names([run.path for run in runs])
    figure = comparison_figure(runs, names)
    detectors = runs[0].kind == "detection"
    return render_page(
        "comparison.html.j2",
        title=f"{len(runs)} runs compared",
        max_width=1500,
        names=names,
        columns=detection_columns(runs) if detectors else _COLUMNS,
        rows=[
            detection_cells(run, runs) if detectors else _cells_of(run, facts_of(run))
            for run in runs
        ],
        notes=_notes(runs),
        guard=guard_rows(runs, names),
        guard_columns=GUARD_COLUMNS,
        missing=[
            (name, line)
            for name, run in zip(names, runs, strict=True)
            for line in (*run.missing, *_without_cells(run))
        ],
        curves=data_uri(png_bytes(figure)) if figure else None,
        groups=_cells(runs, names),
        settings=different_settings(runs),
    )


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Return the shortest tails of the paths, of equal depth, that are all different."""
    folders = [path.resolve().parts for path in paths]
    for depth in range(1, max(map(len, folders)) + 1):
        names = ["/".join(names[-depth:]) for names in folders]
        if len(set(names)) == len(names):
            break
    return names


def different_settings(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """Return the settings in which the runs that have them differ: name, value in each run."""
    written = [dict(settings_of(run.config)) for run in runs]
    rows = []
    for key in dict.fromkeys(key for one in written for key in one):
        values = {one[key] for one in written if key in one}
        if len(values) > 1 and key not in _NOT_COMPARED:
            rows.append((key, [one.get(key, BLANK) for one in written]))
    return rows


def _cells_of(run: Run, facts: Facts) -> list[str]:
    """Write the facts of a run as the cells of its row, in the order of `_COLUMNS`."""
    test = _or_blank(facts.test_top1, percent)
    if facts.test_epoch is not None:
        test += f" (epoch {facts.test_epoch})"
    return [
        run.kind,
        facts.dataset or BLANK,
        facts.model or BLANK,
        facts.seed or BLANK,
        facts.epochs,
        test,
        _or_blank(facts.val_accuracy, percent),
        _or_blank(facts.num_parameters, count),
        _or_blank(facts.madds, count),
        _or_blank(facts.time_s, duration),
    ]


def _without_cells(run: Run) -> list[str]:
    """Explain why a training run has no cells; `missing` does so for a search."""
    if run.genotype or run.chain or run.kind in ("search", "detection"):
        return []
    return ["it has no genotype.json, so no cells are drawn"]


def _or_blank(value: Any, written: Any) -> str:
    return BLANK if value is None else written(value)


def _notes(runs: Sequence[Run]) -> list[str]:
    """Explain the columns for the kinds of run that are there."""
    kinds = {run.kind for run in runs}
    notes = []
    if "search" in kinds:
        searches = [run for run in runs if run.kind == "search"]
        of_cells = [run for run in searches if not isinstance(run.space, ChainSpace)]
        sizes = dict.fromkeys(str(size_of_cells(run)) for run in of_cells)
        notes.append(
            "A search has no test accuracy: it never reads the test images. Its val accuracy is "
            "that of the supernet, not of what it finds."
        )
        if of_cells:
            notes.append(
                "Parameters and multiply-adds of cells are those of the evaluation network with "
                f"{' or '.join(sizes)}."
            )
        if len(of_cells) < len(searches):
            notes.append(
                "Parameters and multiply-adds of a chain are those of its network, at the size of "
                "the images of the search."
            )
    if "training" in kinds:
        notes.append(
            "The test accuracy of a training run is top-1 after the last epoch; there is a val "
            "accuracy only where some training images were held out. Parameters and multiply-adds "
            "are those of the trained network without its auxiliary head."
        )
    if "detection" in kinds:
        notes += NOTES
    if len(kinds) == 2:
        notes.append("Runs of different kinds share few columns; a dash marks a missing value.")
    notes.append("One run per setting says nothing about the spread between seeds.")
    return notes


def _cells(runs: Sequence[Run], names: Sequence[str]) -> list[dict[str, Any]]:
    """Draw each pair of cells once, with the names of the runs that have it."""
    groups: list[dict[str, Any]] = []
    for run, name in zip(runs, names, strict=True):
        if run.genotype is None:
            continue
        for group in groups:
            if group["genotype"] == run.genotype:
                group["names"].append(name)
                break
        else:
            cells, problems = draw_cell_svgs(run)
            groups.append(
                {"genotype": run.genotype, "names": [name], "cells": cells, "problems": problems}
            )
    return groups
