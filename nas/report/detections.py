"""Detectors in a comparison: their columns, their rows, and what must be known to read them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nas.report.run import Run
from nas.report.summary import facts_of
from nas.report.templating import count, duration, percent

BLANK = "\N{EN DASH}"
NOTES = (
    "mAP and average precision are those on the test images after the last iteration; a run that "
    "is going on has the mAP of its last measurement. Classes follow the rule of 11 points. "
    "Parameters and multiply-adds are those of the network without the suppression of duplicates.",
)
_MEANS = {"map_11": "mAP, 11 points", "map_area": "mAP, area", "map_coco": "mAP, COCO"}

Column = tuple[str, bool]
"""The head of a column, and whether it holds numbers."""


def detection_columns(runs: Sequence[Run]) -> list[Column]:
    """Return the columns of runs of detectors; each class that one of them has is one."""
    return [
        ("model", False),
        *((name, True) for name in ("seed", "iterations", *_MEANS.values(), *_classes(runs))),
        *((name, True) for name in ("parameters", "multiply-adds", "time")),
    ]


def detection_cells(run: Run, runs: Sequence[Run]) -> list[str]:
    """Return the row of one run in the comparison of several."""
    facts = facts_of(run)
    return [
        facts.model or BLANK,
        facts.seed or BLANK,
        facts.epochs,
        *_percents(_means(run), _MEANS),
        *_percents(_average_precisions(run), _classes(runs)),
        BLANK if facts.num_parameters is None else count(facts.num_parameters),
        BLANK if facts.madds is None else count(facts.madds),
        BLANK if facts.time_s is None else duration(facts.time_s),
    ]


def _classes(runs: Sequence[Run]) -> list[str]:
    found = (name for run in runs if run.detection for name in run.detection.classes)
    return list(dict.fromkeys(found))


def _means(run: Run) -> Mapping[str, float | None]:
    if run.detection is not None:
        return {name: getattr(run.detection, name) for name in _MEANS}
    last: Mapping[str, Any] = run.metrics[-1] if run.metrics else {}
    return {name: last.get(f"test_{name}") for name in _MEANS}


def _average_precisions(run: Run) -> Mapping[str, float | None]:
    if run.detection is None:
        return {}
    return dict(zip(run.detection.classes, run.detection.ap_11, strict=True))


def _percents(values: Mapping[str, float | None], names: Iterable[str]) -> list[str]:
    known = [values.get(name) for name in names]
    return [BLANK if value is None else percent(value) for value in known]
