"""Results in experiments/ that belong to a row of the paper, most of them much smaller (no torch).

Every file is optional: an installed package has no experiments/, and not everything has been run.
"""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas.errors import ReportError, shown
from nas.experiments.experiment import row_of
from nas.experiments.paper.tables import PaperRow
from nas.records import read_object
from nas.strict_yaml import is_file

SMALL = "small"
"""The kind of a figure that was measured at a much smaller size than the paper's."""

LEGENDS = {
    2: "Row 8 has three blocks here, as the released network; the authors corrected the table "
    "(issue 2 of their repository).",
    3: "small: top-1 of the same kind of network on CIFAR-10 (JPEG) at 64 x 64, ten epochs on "
    "12,000 images (experiments/cifar10_mobile).",
    4: "small: top-1 of the networks of width 0.35 on CIFAR-10 (JPEG) at 64 x 64, INT8 with "
    "entropy calibration and one scale per tensor (experiments/deploy).",
    7: "latency, ours: median of one image of 224 x 224 in ONNX Runtime, fp32, one thread of a "
    "server CPU (experiments/deploy).",
    8: "ours: with the 21 classes of VOC, background included, for images of 320 x 320. COCO, "
    "ours: with 81 classes and 4 priors at the last level. mAP, ours: on the test images of VOC "
    "2007; without this column, nothing was run.",
    9: "error and parameters, ours: mean over all trained cells of experiments/cifar10. small: "
    "test error of experiments/cifar10_small. `none` is not counted as an operator.",
}
"""What the figures of a table are; a table without an entry has none."""
LEGENDS[11] = (
    LEGENDS[9] + " The paper prints 7 operators in every row here, and 7, 8, 8 in Table 9."
)


def committed(row: PaperRow, experiments: Path) -> dict[str, str]:
    """Return the figures in experiments/ for a row as text, by kind.

    Args:
        row: A row of the paper.
        experiments: The folder experiments/ of a checkout.

    Raises:
        ReportError: A file is damaged.
    """
    read = _READERS.get(row.table)
    if read is None or not row.ours:
        return {}
    try:
        return read(row, experiments)
    except (KeyError, TypeError, AttributeError, statistics.StatisticsError) as cause:
        raise ReportError(
            f"{experiments}: a result for Table {row.table} lacks {shown(str(cause))}; restore the "
            "file from git"
        ) from cause


def _widths(row: PaperRow, experiments: Path) -> dict[str, str]:
    entry = _table_row(experiments / "cifar10_mobile" / "results.json", row.ours)
    return {SMALL: _mean([100 - error for error in _errors(entry)])} if entry else {}


def _eight_bits(row: PaperRow, experiments: Path) -> dict[str, str]:
    path = experiments / "deploy" / "quantization.json"
    prefix = row.model.rpartition("_")[0] + "_0.35-seed"
    same = [run for name, run in _read(path, "runs", {}).items() if name.startswith(prefix)]
    if "INT8/INT8" in row.cells:
        way = {"calibration": "entropy", "weights": "per_tensor", "activations": "int8"}
        results = [result for run in same for result in run["int8"]]
        top1 = [result["top1"] for result in results if way.items() <= result.items()]
    else:
        top1 = [run["fp32"] for run in same]
    return {SMALL: _mean(top1)} if same else {}


def _latency(row: PaperRow, experiments: Path) -> dict[str, str]:
    path = experiments / "deploy" / "latency.json"
    wanted = {"model": row.ours, "engine": "onnx_fp32", "num_threads": 1}
    for entry in _read(path, "rows", []):
        if wanted.items() <= entry.items():
            return {"latency": f"{entry['latency']['median_ms']:.2f}"}
    return {}


def _searched(row: PaperRow, experiments: Path) -> dict[str, str]:
    figures: dict[str, str] = {}
    full = _table_row(experiments / "cifar10" / "results.json", row.ours)
    if full and _errors(full):
        parameters = statistics.fmean(full["num_parameters_full_size"]) / 1e6
        figures |= {"error": _mean(_errors(full)), "parameters": f"{parameters:.2f}"}
    searched = row_of(row.ours, "darts")
    small = _table_row(experiments / "cifar10_small" / "results.json", searched)
    if small and _errors(small):
        figures[SMALL] = _mean(_errors(small))
    return figures


_READERS: dict[int, Callable[[PaperRow, Path], dict[str, str]]] = {
    3: _widths,
    4: _eight_bits,
    7: _latency,
    9: _searched,
    11: _searched,
}


def _table_row(path: Path, name: str) -> dict[str, Any] | None:
    """Return the row of an experiment's results.json that has this name."""
    return next((row for row in _read(path, "rows", []) if row["name"] == name), None)


def _read(path: Path, key: str, missing: Any) -> Any:
    return read_object(path)[key] if is_file(path) else missing


def _errors(row: dict[str, Any]) -> list[float]:
    return [error for cell in row["errors_by_cell"] for error in cell]


def _mean(values: list[float]) -> str:
    mean = f"{statistics.fmean(values):.2f}"
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{mean}{spread} (n = {len(values)})"
