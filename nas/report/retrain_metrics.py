"""Read the metrics.jsonl of a retrain: one line an epoch, checked before anything is drawn."""

from pathlib import Path
from typing import Any

from nas.errors import ReportError
from nas.report.json_lines import is_number, read_epochs
from nas.report.metrics import FILE_NAME

_ALWAYS = ("learning_rate", "train_loss", "train_accuracy")
_OF_CELLS = "drop_path_prob"
_MEASURED = {split: tuple(f"{split}_{what}" for what in ("loss", "accuracy", "top5_accuracy"))
             for split in ("val", "test")}  # fmt: skip


def read_retrain_metrics(run_dir: str | Path) -> list[dict[str, Any]]:
    """Read and check the metrics of a retrain.

    A last line that was cut short, because the run was killed while it wrote, is left out.

    Args:
        run_dir: A run directory, which holds metrics.jsonl.

    Returns:
        One record an epoch, in order; at least one. Losses are nats, accuracies percent. The
        three `test_...` values, and the three `val_...` ones, are there together or, where a
        split was not measured after an epoch, not at all. A network by name has no
        `drop_path_prob`, which is a setting of cells.

    Raises:
        ReportError: The file is missing or empty, or a line of it is broken.
    """
    path = Path(run_dir) / FILE_NAME
    records = read_epochs(path, check_retrain_record)
    if not records:
        raise ReportError(f"{path}: no finished epoch in it; has the retrain just begun?")
    return records


def check_retrain_record(record: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a record that has all that the plots of a retrain read, or raise ReportError."""
    needed = [*_ALWAYS, _OF_CELLS] if _OF_CELLS in record else [*_ALWAYS]
    for keys in _MEASURED.values():
        if any(key in record for key in keys):
            needed.extend(keys)
    for key in needed:
        if key not in record:
            raise ReportError(f"{where}: without {key!r}; was it written by a retrain?")
        if not is_number(record[key]):
            raise ReportError(f"{where}: {key}: expected a number, found {record[key]!r}")
    return record
