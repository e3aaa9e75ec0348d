"""Read files of one JSON object a line, and the checks that their readers share."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas.errors import ReportError

Check = Callable[[dict[str, Any], str], dict[str, Any]]
"""Takes a record and where it stands; returns the record or raises ReportError."""

_MAX_EPOCH = 2**53


def read_epochs(path: Path, check: Check) -> list[dict[str, Any]]:
    """Read the lines of a file that has one record an epoch.

    A last line that was cut short, because the run was killed while it wrote, is left out.

    Args:
        path: The file.
        check: Is called with each record, whose `epoch` is already checked.

    Returns:
        The records in order of their epochs; none where the file is empty.

    Raises:
        ReportError: The file cannot be read, or a line of it is broken.
    """
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise ReportError(
            f"{path}: cannot be read: {cause.strerror or cause}; is {str(path.parent)!r} the run "
            "directory of a search or a retrain?"
        ) from cause
    *lines, rest = content.split(b"\n")
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        where = f"{path}: line {number}"
        records.append(check(_with_epoch(_parse(line, where), where), where))
    if rest.strip():
        # Without its newline a line may be cut anywhere; cut, it never is a whole JSON object.
        where = f"{path}: line {len(lines) + 1}"
        try:
            last = _parse(rest, where)
        except ReportError:
            last = None
        if last is not None:
            records.append(check(_with_epoch(last, where), where))
    for number, (before, after) in enumerate(itertools.pairwise(records), start=2):
        if after["epoch"] <= before["epoch"]:
            raise ReportError(
                f"{path}: line {number}: epoch {after['epoch']} after epoch {before['epoch']}; "
                "do two runs write to this directory?"
            )
    return records


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a finite number."""
    # The bound leaves out NaN and the infinities, which no JSON but Python's has.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def is_count(value: Any) -> bool:
    """Whether a value of JSON is a whole number from 0 on."""
    return isinstance(value, int) and is_number(value) and value >= 0


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as cause:
        raise ReportError(f"{where}: not a JSON object ({cause}); mend or remove it") from cause
    if not isinstance(record, dict):
        raise ReportError(f"{where}: expected a JSON object, found {type(record).__name__}")
    return record


def _with_epoch(record: dict[str, Any], where: str) -> dict[str, Any]:
    if "epoch" not in record:
        raise ReportError(f"{where}: without 'epoch'; was it written by a search or a retrain?")
    if not is_count(record["epoch"]) or record["epoch"] > _MAX_EPOCH:
        raise ReportError(f"{where}: epoch: expected a whole number, found {record['epoch']!r}")
    return record
