"""Compare runs side by side in one HTML file: results, settings, curves and cells."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nas.errors import ReportError
from nas.files import write_files
from nas.png import png_bytes
from nas.report.figures.comparison_curves import comparison_figure
from nas.report.html import draw_cell_svgs
from nas.report.html_images import data_uri
from nas.report.run import Run, read_run
from nas.report.summary import Facts, facts_of, settings_of
from nas.report.templating import count, duration, percent, render_page

_BLANK = "\N{EN DASH}"
_NOT_COMPARED = {"out", "resume"}
"""Settings that say where a run lies, not what it is."""


def write_comparison(run_dirs: Sequence[str | Path], out: str | Path) -> Path:
    """Write one self-contained HTML file that compares runs of one kind or of both.

    Args:
        run_dirs: At least two different run directories, finished or not.
        out: The file to write; its folder is made when it is missing.

    Returns:
        The path of the file.

    Raises:
        ReportError: There are fewer than two runs, one of them is no run directory, a file of
            one is broken, or the file cannot be written.
        GenotypeError: A genotype.json is broken.
        SearchSpaceError: A space.yaml is broken.
    """
    runs = [read_run(path) for path in run_dirs]
    places = [run.path.resolve() for run in runs]
    if len(runs) < 2 or len(set(places)) < len(places):
        raise ReportError("a comparison needs at least two run directories, each named once")
    return write_files({Path(out): comparison_page(runs)})[0]


def comparison_page(runs: Sequence[Run]) -> bytes:
    """Return the HTML that compares runs."""
    names = distinct_names([run.path for run in runs])
    figure = comparison_figure(runs, names)
    return render_page(
        "comparison.html.j2",
        title=f"{len(runs)} runs compared",
        max_width=1500,
        names=names,
        rows=[_row(run, facts_of(run)) for run in runs],
        notes=_notes(runs),
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
    """Return for each path as few of its last parts as tell all of them apart."""
    parts = [path.resolve().parts for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return names


def different_settings(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """Return the settings in which the runs that have them differ: name, value in each run."""
    written = [dict(settings_of(run.config)) for run in runs]
    rows = []
    for key in dict.fromkeys(key for one in written for key in one):
        found = {one[key] for one in written if key in one}
        if len(found) > 1 and key not in _NOT_COMPARED:
            rows.append((key, [one.get(key, _BLANK) for one in written]))
    return rows


def _row(run: Run, facts: Facts) -> dict[str, str]:
    """Write the facts of a run as the cells of its row."""
    test = _or_blank(facts.test_top1, percent)
    if facts.test_epoch is not None:
        test += f" (epoch {facts.test_epoch})"
    return {
        "kind": run.kind,
        "dataset": facts.dataset or _BLANK,
        "model": facts.model or _BLANK,
        "seed": facts.seed or _BLANK,
        "epochs": facts.epochs,
        "test": test,
        "val": _or_blank(facts.val_accuracy, percent),
        "parameters": _or_blank(facts.num_parameters, count),
        "madds": _or_blank(facts.madds, count),
        "time": _or_blank(facts.time_s, duration),
    }


def _without_cells(run: Run) -> list[str]:
    """Say why a retrain has no cells; of a search `missing` says it."""
    if run.genotype or run.kind == "search":
        return []
    return ["it has no genotype.json, so no cells are drawn"]


def _or_blank(value: Any, written: Any) -> str:
    return _BLANK if value is None else written(value)


def _notes(runs: Sequence[Run]) -> list[str]:
    """Say what the columns mean for the kinds that are there, and what is left blank."""
    kinds = {run.kind for run in runs}
    notes = []
    if "search" in kinds:
        notes.append(
            "A search has no test accuracy: it never reads the test split. Its val accuracy is "
            "the supernet's, not that of the cell it finds; its parameters and multiply-adds are "
            "those of the evaluation network with 36 channels and 20 cells."
        )
    if "retrain" in kinds:
        notes.append(
            "The test accuracy of a retrain is top-1 after the last epoch; it has a val accuracy "
            "only where a part of train was held out. Parameters and multiply-adds are those of "
            "the network that was trained, without its auxiliary head."
        )
    if len(kinds) == 2:
        notes.append("Runs of different kinds share few columns: a dash stands where one has none.")
    notes.append("One run a setting says nothing about the spread between seeds.")
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
