"""The table of an experiment, as Markdown for people and as JSON for programs."""

import json
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nas.config.network_size import CIFAR_SIZE
from nas.experiments.experiment import Experiment
from nas.experiments.judged import JudgedSearches
from nas.experiments.plan import Run
from nas.experiments.provenance import provenance
from nas.experiments.results import Row
from nas.files import write_files
from nas.png import png_bytes
from nas.runtime.run_directory import RunDirectory

_OF_CELLS = ("different", "between cells (%)", "search (min)", "full size (M)")
"""Columns that do not apply to a named network."""
_OF_PAPER = ("paper: error (%)", "paper: parameters (M)")
_RUNS = {True: "trainings", False: "runs"}


def write_results(
    experiment: Experiment, runs: list[Run], rows: list[Row], judged: JudgedSearches | None = None
) -> list[Path]:
    """Write results.md and results.json into the experiment's folder.

    Args:
        experiment: What was planned.
        runs: Its runs.
        rows: From `collect`.
        judged: What a table says of the searches; its picture is written too.

    Returns:
        The paths of the files.
    """
    num_finished = sum(run.state() == "finished" for run in runs)
    document = {
        "title": experiment.title,
        "finished_runs": num_finished,
        "planned_runs": len(runs),
        "command": _command(experiment),
        "made": [made.to_json() for made in provenance(runs)],
        "rows": [
            {
                **asdict(row),
                "mean_error": row.mean_error,
                "std_error": row.std_error,
                "std_between_cells": row.std_between_cells,
            }
            for row in rows
        ],
    }
    if judged is not None:
        document["judged"] = judged.to_json()
    folder = RunDirectory.plain(experiment.folder)
    paths = [
        folder.write("results.json", json.dumps(document, indent=1) + "\n"),
        folder.write("results.md", markdown(experiment, runs, rows, judged)),
    ]
    figure = None if judged is None else judged.figure()
    if figure is not None:
        paths += write_files({experiment.folder / "regret.png": png_bytes(figure)})
    return paths


def markdown(
    experiment: Experiment, runs: list[Run], rows: list[Row], judged: JudgedSearches | None = None
) -> str:
    """Write the tables: what was trained, what was judged, and what it was made with."""
    num_finished = sum(run.state() == "finished" for run in runs)
    lines = [f"# {experiment.title}", "", f"{num_finished} of {len(runs)} runs are finished."]
    if judged is not None:
        lines += ["", *judged.markdown()]
    if judged is None or experiment.augment_seeds:
        lines += ["", *_trained(experiment, rows)]
    if experiment.caveat:
        lines += ["", " ".join(experiment.caveat.split())]
    sources = dict.fromkeys(
        entry["source"] for entry in experiment.paper.values() if entry.get("source")
    )
    if sources:
        lines += ["", f"Paper: {'; '.join(sources)}."]
    lines += ["", f"`{_command(experiment)}` made it:", ""]
    lines += [f"- {made.to_text()}" for made in provenance(runs)]
    return "\n".join(lines) + "\n"


def _trained(experiment: Experiment, rows: list[Row]) -> list[str]:
    """Return the table of trainings as lines; named networks alone have no columns of cells."""
    has_cells = bool(experiment.spaces or experiment.genotypes)
    left_out = (*(() if has_cells else _OF_CELLS), *(() if experiment.paper else _OF_PAPER))
    table = [_cells(row, experiment.paper.get(row.name, {}), has_cells) for row in rows]
    table = [{key: text for key, text in row.items() if key not in left_out} for row in table]
    header = tuple(table[0])
    return [
        f"| {' | '.join(header)} |",
        "|---|" + "---:|" * (len(header) - 1),
        *(f"| {' | '.join(row.values())} |" for row in table),
        "",
        _legend(has_cells),
    ]


def _command(experiment: Experiment) -> str:
    return f"nas experiment {experiment.folder.as_posix()}"


def _cells(row: Row, paper: dict[str, Any], has_cells: bool) -> dict[str, str]:
    """Return a row by column."""
    between = row.std_between_cells
    name = row.name.replace("|", "\\|")  # strings of NAS-Bench-201 have these
    return {
        "cells" if has_cells else "network": f"`{name}`",
        "different": str(row.num_cells),
        "trainings" if has_cells else "runs": str(row.num_trainings),
        "test error (%)": _error(row),
        "between cells (%)": "-" if between is None else f"± {between:.2f}",
        "parameters (M)": _range(row.num_parameters, 1e6, 3),
        "multiply-adds (M)": _range(row.madds, 1e6, 2),
        "search (min)": _mean(row.search_time_s),
        "training (min)": _mean(row.training_time_s),
        "full size (M)": _range(row.num_parameters_full_size, 1e6, 2),
        "paper: error (%)": str(paper.get("error", "")),
        "paper: parameters (M)": str(paper.get("parameters_m", "")),
    }


def _legend(has_cells: bool) -> str:
    between = "; between cells: standard deviation of the means of different cells"
    sizes = (
        ", without the auxiliary head; full size: parameters of the same cells with "
        f"{CIFAR_SIZE}, which is the size of the paper's "
        "figures"
    )
    return (
        f"Test error: mean and sample standard deviation over all {_RUNS[has_cells]}, each after "
        f"its last epoch{between * has_cells}. Times: mean wall-clock minutes of one run. "
        f"Parameters and multiply-adds: of the network trained here{sizes * has_cells}."
    )


def _error(row: Row) -> str:
    if row.mean_error is None:
        return "-"
    spread = "(one run)" if row.std_error is None else f"± {row.std_error:.2f}"
    return f"{row.mean_error:.2f} {spread}"


def _range(values: tuple[float, ...], unit: float, digits: int) -> str:
    low, high = (
        (f"{bound / unit:.{digits}f}" for bound in (min(values), max(values)))
        if values
        else ("-", "-")
    )
    return low if low == high else f"{low} to {high}"


def _mean(seconds: tuple[float, ...]) -> str:
    return f"{statistics.fmean(seconds) / 60:.1f}" if seconds else "-"
