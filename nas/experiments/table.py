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
from nas.space import SearchSpace, load_space

_FULL_SIZE = "full size (M)"
_OF_PAPER = ("paper: error (%)", "paper: parameters (M)")


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
    """Return the table of trainings as lines; named networks alone have no columns of searches."""
    noun = _noun(experiment)
    left_out = set(() if experiment.paper else _OF_PAPER)
    if noun != "cells":
        left_out.add(_FULL_SIZE)
    if noun is None:
        left_out.update(("different", _between(noun), "search (min)"))
    table = [_cells(row, experiment.paper.get(row.name, {}), noun) for row in rows]
    table = [{key: text for key, text in row.items() if key not in left_out} for row in table]
    header = tuple(table[0])
    return [
        f"| {' | '.join(header)} |",
        "|---|" + "---:|" * (len(header) - 1),
        *(f"| {' | '.join(row.values())} |" for row in table),
        "",
        _legend(noun),
    ]


def _noun(experiment: Experiment) -> str | None:
    """Return what is searched or drawn: cells or networks of a chain; None: names alone."""
    spaces = [load_space(experiment.located_space(space)) for space in experiment.spaces]
    if experiment.genotypes or any(isinstance(space, SearchSpace) for space in spaces):
        return "cells"
    return "networks" if spaces else None


def _between(noun: str | None) -> str:
    return f"between {noun} (%)"


def _command(experiment: Experiment) -> str:
    return f"nas experiment {experiment.folder.as_posix()}"


def _cells(row: Row, paper: dict[str, Any], noun: str | None) -> dict[str, str]:
    """Return a row by column."""
    between = row.std_between_cells
    name = row.name.replace("|", "\\|")  # strings of NAS-Bench-201 have these
    return {
        noun or "network": f"`{name}`",
        "different": str(row.num_cells),
        _runs(noun): str(row.num_trainings),
        "test error (%)": _error(row),
        _between(noun): "-" if between is None else f"± {between:.2f}",
        "parameters (M)": _range(row.num_parameters, 1e6, 3),
        "multiply-adds (M)": _range(row.madds, 1e6, 2),
        "search (min)": _mean(row.search_time_s),
        "training (min)": _mean(row.training_time_s),
        _FULL_SIZE: _range(row.num_parameters_full_size, 1e6, 2),
        "paper: error (%)": str(paper.get("error", "")),
        "paper: parameters (M)": str(paper.get("parameters_m", "")),
    }


def _runs(noun: str | None) -> str:
    return "trainings" if noun else "runs"


def _legend(noun: str | None) -> str:
    between = f"; between {noun}: standard deviation of the means of different {noun}"
    sizes = (
        ", without the auxiliary head; full size: parameters of the same cells with "
        f"{CIFAR_SIZE}, which is the size of the paper's "
        "figures"
    )
    return (
        f"Test error: mean and sample standard deviation over all {_runs(noun)}, each after "
        f"its last epoch{between if noun else ''}. Times: mean wall-clock minutes of one run. "
        "Parameters and multiply-adds: of the network trained here"
        f"{sizes if noun == 'cells' else ''}."
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
