"""How decided the cells of searches are, side by side: the collapse guard of the last epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

from nas.report.cells.labels import printable
from nas.report.run import Run
from nas.report.summary import model_of

_BLANK = "\N{EN DASH}"
GUARD_COLUMNS = ("skips", "edge margin", "operator margin", "parameter-free", "largest weight")
"""What a row has after its name, method, space and selection."""


def guard_rows(runs: Sequence[Run], names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return a row for each search that recorded the guard: name, then cells as text.

    A cell with a value for each group has them in the order normal / reduce.
    """
    rows = []
    for run, name in zip(runs, names, strict=True):
        last = run.metrics[-1] if run.metrics else {}
        if "collapse" not in last:
            continue
        guard = last["collapse"]
        rows.append(
            (
                name,
                [
                    printable(str(run.config.get("method", "darts")), 80),
                    model_of(run) or _BLANK,
                    printable(str(run.config.get("selection") or _BLANK), 80),
                    _by_group(last["num_skips"], "{:g}"),
                    _by_group(guard.get("edge_margin"), "{:.4f}"),
                    _by_group(guard.get("operator_margin"), "{:.4f}"),
                    _by_group(guard.get("parameter_free"), "{:.0%}"),
                    _by_group(guard.get("max_weight"), "{:.3f}"),
                ],
            )
        )
    return rows


def _by_group(values: Mapping[str, Any] | None, form: str) -> str:
    return " / ".join(form.format(value) for value in (values or {}).values()) or _BLANK
