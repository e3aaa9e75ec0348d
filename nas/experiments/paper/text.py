"""The paper's tables and ours side by side, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nas.experiments.paper.committed import LEGENDS, committed
from nas.experiments.paper.measure import differs, measure
from nas.experiments.paper.tables import KINDS, TITLES, PaperRow

_EXTRA = {
    "parameters": "Param. (M), ours",
    "madds": "MAdd (M), ours",
    "coco": "COCO, ours",
    "small": "small, ours",
}
"""Our figures that get a column even where the paper prints none."""

LEGEND = (
    "Columns with `ours` show this project; the other figures are the paper's, as printed. "
    "Parameters and multiply-adds (convolutions and linear layers, images of 224 x 224) were "
    "counted just now. Top-1, ours: after the last epoch on ImageNet's validation images; without "
    "this column, nothing was run."
)


def markdown(
    rows: Sequence[PaperRow], results: Path, experiments: Path = Path("experiments")
) -> str:
    """Write a table for each table of the paper, and the reasons for differences below it.

    Args:
        rows: What to print, in the paper's order.
        results: Folder with the runs of experiments/imagenet/rows/, see `measure`.
        experiments: The folder experiments/ of a checkout, see `committed`.

    Raises:
        ReportError: A result is damaged.
    """
    numbers = dict.fromkeys(row.table for row in rows)
    tables = [
        _table(number, [row for row in rows if row.table == number], results, experiments)
        for number in numbers
    ]
    return "\n\n".join([*tables, LEGEND]) + "\n"


def _table(number: int, rows: Sequence[PaperRow], results: Path, experiments: Path) -> str:
    measured = [measure(row, results) for row in rows]
    ours = [
        figures.shown() | committed(row, experiments)
        for row, figures in zip(rows, measured, strict=True)
    ]
    reasons = [
        row.reason if differs(row, figures) else ""
        for row, figures in zip(rows, measured, strict=True)
    ]
    marks = {reason: f"({i})" for i, reason in enumerate(filter(None, dict.fromkeys(reasons)), 1)}
    columns = [
        *_figures(rows, ours),
        ("built here", [f"`{row.ours}`" if row.ours else "" for row in rows]),
        ("note", [marks.get(reason, "") for reason in reasons]),
    ]
    columns = [(header, cells) for header, cells in columns if any(cells)]
    lines = [
        f"## Table {number}. {TITLES[number]}\n",
        _line([header for header, _ in columns]),
        _line(["---"] * len(columns)),
        *map(_line, zip(*(cells for _, cells in columns), strict=True)),
        *(f"\n{mark} {reason}" for reason, mark in marks.items()),
    ]
    if number in LEGENDS:
        lines.append(f"\n{LEGENDS[number]}")
    return "\n".join(lines)


def _figures(
    rows: Sequence[PaperRow], ours: Sequence[Mapping[str, str]]
) -> list[tuple[str, Sequence[str]]]:
    """Return the columns of the paper, each followed by ours of the same kind."""
    kinds = {kind for figures in ours for kind in figures}
    columns: list[tuple[str, Sequence[str]]] = []
    for index, header in enumerate(rows[0].columns):
        columns.append((header, [row.cells[index] for row in rows]))
        kind = KINDS.get(header)
        if kind in kinds:
            columns.append(("ours", [figures.get(kind, "") for figures in ours]))
            kinds.remove(kind)
    for kind, header in _EXTRA.items():
        if kind in kinds:
            columns.append((header, [figures.get(kind, "") for figures in ours]))
    return columns


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
