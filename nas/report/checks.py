"""Read the files of a run that have one record an epoch, and check every record."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas import detection_record
from nas.errors import ReportError, shown
from nas.records import is_count, is_number, parse_object, take

METRICS = "metrics.jsonl"
TIMING = "timing.jsonl"

Record = dict[str, Any]
Check = Callable[[Record, str], Record]
"""Takes a record and its place; returns the record or raises ReportError."""

_MAX_EPOCH = 2**53
_SEARCH_NUMBERS = (
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "num_parameters",
    "madds",
)
_RETRAIN_NUMBERS = ("learning_rate", "train_loss", "train_accuracy")
_OF_CELLS = "drop_path_prob"
_MEASURED = {split: tuple(f"{split}_{what}" for what in ("loss", "accuracy", "top5_accuracy"))
             for split in ("val", "test")}  # fmt: skip


def read_epochs(path: Path, check: Check) -> list[Record]:
    """Read a file with one JSON object a line, each with the epoch that it is about.

    A last line that was cut short, because the run was killed while it wrote, is left out.

    Args:
        path: The file.
        check: Called with each record, whose `epoch` is already checked.

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
            "directory of a search or a training run?"
        ) from cause
    *lines, rest = content.split(b"\n")
    records: list[Record] = []
    for number, line in enumerate(lines, start=1):
        where = f"{path}: line {number}"
        records.append(check(_with_epoch(parse_object(line, where), where), where))
    if rest.strip():
        # A line without its newline may be cut anywhere; cut, it is never a whole JSON object.
        where = f"{path}: line {len(lines) + 1}"
        try:
            last = parse_object(rest, where)
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


def check_search_record(record: Record, where: str) -> Record:
    """Return a record of a search that has everything its figures need.

    `entropy`, `num_skips` and `alphas` have one value for each group of edges (`normal` and
    `reduce` in a cell); the record of a chain has no `num_skips`. Records of newer runs may have
    `arch_weights`, a table for each group, `edge_weights`, a list for each group, `measures`,
    further numbers by name, `collapse`, numbers by name and group, `decision`, numbers by group and
    name, and `extra_alphas`, lists by name.

    Raises:
        ReportError: A key is missing, or its value is of the wrong kind.
    """
    _check_numbers(record, _SEARCH_NUMBERS, where, "search")
    for key, (is_needed, is_right, kind) in _BY_GROUP.items():
        if key in record or (is_needed and not (key == _OF_CELLS_ONLY and "network" in record)):
            groups = take(record, key, where, _is_mapping, "a mapping of groups of edges")
            for group, value in groups.items():
                if not is_right(value):
                    found = shown(value)
                    raise ReportError(f"{where}: {key}.{group}: expected {kind}, found {found}")
    for key in ("num_skips", "alphas", "arch_weights", "edge_weights"):
        if key in record and record[key].keys() != record["entropy"].keys():
            raise ReportError(
                f"{where}: {key}: expected a value for each of {', '.join(record['entropy'])}, "
                f"found {', '.join(record[key])}"
            )
    for group, rows in record.get("arch_weights", {}).items():
        lengths, expected = ([*map(len, table)] for table in (rows, record["alphas"][group]))
        if lengths != expected:
            raise ReportError(
                f"{where}: arch_weights.{group}: expected rows as long as those of alphas, found "
                f"{shown(rows)}"
            )
    for key in ("collapse", "decision", "extra_alphas"):
        if not isinstance(record.get(key, {}), dict):
            raise ReportError(f"{where}: {key}: expected a mapping, found {shown(record[key])}")
    for key, inner in (("collapse", "group"), ("decision", "name")):
        for name, numbers in record.get(key, {}).items():
            if not isinstance(numbers, dict) or not all(map(is_number, numbers.values())):
                raise ReportError(
                    f"{where}: {key}.{shown(name)}: expected numbers by {inner}, found "
                    f"{shown(numbers)}"
                )
    for name, values in record.get("extra_alphas", {}).items():
        if not (_is_row(values) or _is_even_table(values)):
            raise ReportError(
                f"{where}: extra_alphas.{shown(name)}: expected a list of numbers or equal rows of "
                f"them, found {shown(values)}"
            )
    return _check_measures(record, where)


def check_training_record(record: Record, where: str) -> Record:
    """Return a record of a training run that has everything its figures need.

    Losses are nats, accuracies percent. The three `test_...` values, and the three `val_...`
    ones, are there together or, where a split was not measured after an epoch, not at all. Only
    networks made of cells have `drop_path_prob`.

    Raises:
        ReportError: A key is missing, or its value is of the wrong kind.
    """
    needed = [*_RETRAIN_NUMBERS, *([_OF_CELLS] if _OF_CELLS in record else [])]
    for keys in _MEASURED.values():
        if any(key in record for key in keys):
            needed.extend(keys)
    _check_numbers(record, needed, where, "training run")
    return _check_measures(record, where)


def check_detection_record(record: Record, where: str) -> Record:
    """Return a record of the training of a detector that has everything its figures need.

    Raises:
        ReportError: A key is missing, or its value is of the wrong kind.
    """
    _check_numbers(
        record, ("iteration", *detection_record.NUMBERS), where, "training of a detector"
    )
    return record


def check_timing(record: Record, where: str) -> Record:
    """Return a line of timing.jsonl, whose values are numbers.

    Raises:
        ReportError: `time_s` is missing, or a value is not a number.
    """
    take(record, "time_s", where, is_number, "a number of seconds")
    for key, value in record.items():
        if value is not None and not is_number(value):
            raise ReportError(f"{where}: {shown(key)}: expected a number, found {shown(value)}")
    return record


def _check_numbers(record: Record, keys: tuple[str, ...] | list[str], where: str, by: str) -> None:
    for key in keys:
        if key not in record:
            raise ReportError(f"{where}: without {key!r}; was it written by a {by}?")
        take(record, key, where, is_number, "a number")


def _check_measures(record: Record, where: str) -> Record:
    measures = record.get("measures", {})
    if not isinstance(measures, dict):
        raise ReportError(f"{where}: measures: expected numbers by name, found {shown(measures)}")
    for name, value in measures.items():
        if not is_number(value):
            raise ReportError(
                f"{where}: measures.{shown(name)}: expected a number, found {shown(value)}"
            )
    return record


def _with_epoch(record: Record, where: str) -> Record:
    if "epoch" not in record:
        raise ReportError(
            f"{where}: without 'epoch'; was it written by a search or a training run?"
        )
    if not is_count(record["epoch"]) or record["epoch"] > _MAX_EPOCH:
        raise ReportError(f"{where}: epoch: expected a whole number, found {record['epoch']!r}")
    return record


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, list) and all(entry is None or is_number(entry) for entry in row)
        for row in value
    )


def _is_row(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_number, value))


def _is_even_table(value: Any) -> bool:
    is_table = isinstance(value, list) and all(map(_is_row, value))
    return is_table and len(set(map(len, value))) <= 1


_OF_CELLS_ONLY = "num_skips"
"""What the record of a chain, which has a `network`, does not have."""
_BY_GROUP = {
    "entropy": (True, is_number, "a number"),
    "num_skips": (True, is_number, "a number"),
    "alphas": (True, _is_table, "a list of rows of numbers"),
    "arch_weights": (False, _is_table, "a list of rows of numbers"),
    "edge_weights": (False, _is_row, "a list of numbers"),
}
"""What a record of a search has for each group: whether it must, its check, and what it is."""
