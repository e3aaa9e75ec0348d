"""The paper's tables and ours side by side, as Markdown."""

from collections.abc import Sequence
from pathlib import Path

from nas.experiments.paper.measure import Measured, differs, measure
from nas.experiments.paper.tables import TITLES, PaperRow

_HEADER = (
    *("row", "parameters (M): paper", "ours", "multiply-adds (M): paper", "ours"),
    *("top-1 (%): paper", "ours", "experiment", "note"),
)


def markdown(rows: Sequence[PaperRow], results: Path) -> str:
    """Write a table for each table of the paper, and the reasons below it.

    Args:
        rows: What to print, in the paper's order.
        results: Folder of the runs, see `measure`.

    Raises:
        ReportError: A result is damaged.
    """
    parts = [
        _table(number, [(row, measure(row, results)) for row in rows if row.table == number])
        for number in dict.fromkeys(row.table for row in rows)
    ]
    legend = (
        "Ours: parameters and multiply-adds (convolutions and linear layers, 224 x 224) counted "
        "just now; top-1 after the last epoch on ImageNet's validation images, empty where nothing "
        "was run. Paper: empty where nothing is printed, or where we could not check it. "
        "experiment: the file in experiments/imagenet/rows/."
    )
    return "\n\n".join([*parts, legend]) + "\n"


def _table(number: int, rows: Sequence[tuple[PaperRow, Measured]]) -> str:
    reasons = dict.fromkeys(row.reason for row, found in rows if differs(row, found))
    notes = {reason: f"({index})" for index, reason in enumerate(reasons, start=1)}
    lines = [f"## Table {number}. {TITLES[number]}", "", f"| {' | '.join(_HEADER)} |"]
    lines.append("|---|" + "---:|" * 6 + "---|---|")
    for row, found in rows:
        cells = (
            row.name,
            _figure(row.parameters_m),
            f"{found.parameters / 1e6:.3f}",
            _figure(row.madds_m),
            f"{found.madds / 1e6:.1f}",
            _figure(row.top1),
            "" if found.top1 is None else f"{found.top1:.2f}",
            f"`{row.experiment}`",
            notes[row.reason] if differs(row, found) else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    if notes:
        lines += ["", *(f"{note} {reason}" for reason, note in notes.items())]
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "" if value is None else str(value)
