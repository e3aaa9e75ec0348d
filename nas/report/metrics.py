"""Read the metrics.jsonl of a search: one line an epoch, checked before anything is drawn."""

from pathlib import Path
from typing import Any

from nas.errors import ReportError
from nas.report.json_lines import is_number, read_epochs
from nas.space import CELL_TYPES

FILE_NAME = "metrics.jsonl"

_NUMBERS = (
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "num_parameters",
    "madds",
)
_PER_CELL = {"entropy": "a number", "num_skips": "a number", "alphas": "a list of rows"}


def read_metrics(run_dir: str | Path) -> list[dict[str, Any]]:
    """Read and check the metrics of a search.

    A last line that was cut short, because the run was killed while it wrote, is left out.

    Args:
        run_dir: A run directory, which holds metrics.jsonl.

    Returns:
        One record an epoch, in order; at least one. `alphas` are raw logits, None where the space
        has no such pair; accuracies are percent; losses and entropies are nats.

    Raises:
        ReportError: The file is missing or empty, or a line of it is broken.
    """
    path = Path(run_dir) / FILE_NAME
    records = read_epochs(path, check_search_record)
    if not records:
        raise ReportError(f"{path}: no finished epoch in it; has the search just begun?")
    return records


def check_search_record(record: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a record that has all that the plots of a search read, or raise ReportError."""
    for key in (*_NUMBERS, *_PER_CELL):
        if key not in record:
            raise ReportError(f"{where}: without {key!r}; was it written by a search?")
    for key in _NUMBERS:
        if not is_number(record[key]):
            raise ReportError(f"{where}: {key}: expected a number, found {record[key]!r}")
    for key, kind in _PER_CELL.items():
        for cell_type in CELL_TYPES:
            value = record[key].get(cell_type) if isinstance(record[key], dict) else None
            if not (is_number(value) if kind == "a number" else _is_table(value)):
                raise ReportError(f"{where}: {key}.{cell_type}: expected {kind}")
    return record


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, list) and all(entry is None or is_number(entry) for entry in row)
        for row in value
    )
