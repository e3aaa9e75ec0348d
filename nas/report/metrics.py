"""Read the metrics.jsonl of a search: one line an epoch, checked before anything is drawn."""

import itertools
import json
from pathlib import Path
from typing import Any

from nas.errors import ReportError
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
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise ReportError(
            f"{path}: cannot be read: {cause.strerror or cause}; is {str(run_dir)!r} the run "
            "directory of a search?"
        ) from cause
    *lines, rest = content.split(b"\n")
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        records.append(_check(_parse(line, f"{path}: line {number}"), f"{path}: line {number}"))
    if rest.strip():
        # Without its newline a line may be cut anywhere; cut, it never is a whole JSON object.
        where = f"{path}: line {len(lines) + 1}"
        try:
            last = _parse(rest, where)
        except ReportError:
            last = None
        if last is not None:
            records.append(_check(last, where))
    if not records:
        raise ReportError(f"{path}: no finished epoch in it; has the search just begun?")
    for number, (before, after) in enumerate(itertools.pairwise(records), start=2):
        if after["epoch"] <= before["epoch"]:
            raise ReportError(
                f"{path}: line {number}: epoch {after['epoch']} after epoch {before['epoch']}; "
                "do two runs write to this directory?"
            )
    return records


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as cause:
        raise ReportError(f"{where}: not a JSON object ({cause}); mend or remove it") from cause
    if not isinstance(record, dict):
        raise ReportError(f"{where}: expected a JSON object, found {type(record).__name__}")
    return record


def _check(record: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a record that has all that the plots read, or raise ReportError."""
    for key in ("epoch", *_NUMBERS, *_PER_CELL):
        if key not in record:
            raise ReportError(f"{where}: without {key!r}; was it written by a search?")
    epoch = record["epoch"]
    if isinstance(epoch, bool) or not isinstance(epoch, int):
        raise ReportError(f"{where}: epoch: expected a whole number, found {epoch!r}")
    for key in _NUMBERS:
        if not _is_number(record[key]):
            raise ReportError(f"{where}: {key}: expected a number, found {record[key]!r}")
    for key, kind in _PER_CELL.items():
        for cell_type in CELL_TYPES:
            value = record[key].get(cell_type) if isinstance(record[key], dict) else None
            if not (_is_number(value) if kind == "a number" else _is_table(value)):
                raise ReportError(f"{where}: {key}.{cell_type}: expected {kind}")
    return record


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, list) and all(entry is None or _is_number(entry) for entry in row)
        for row in value
    )


def _is_number(value: Any) -> bool:
    # The bound leaves out NaN and the infinities, which no JSON but Python's has.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
