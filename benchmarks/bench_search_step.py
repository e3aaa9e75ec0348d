"""Time one search step, an alpha step and a weight step, against the plain form.

    python -m benchmarks.bench_search_step [--space darts] [--order first_order] [--repeats 5]

The forms are in benchmarks/steps.py; benchmarks/forms.py says how they are timed. Writes
benchmarks/results/search_step_SPACE_ORDER.{md,json}.
"""

from typing import Any

from benchmarks.aim import Aim
from benchmarks.forms import compare_forms
from benchmarks.steps import SearchSize, search_step

MAX_PLAIN_S, MAX_PLAIN_MIB = 22, 11.5e9 / 2**20
"""What the DARTS code takes on two cores for `SearchSize()`, at most, as its step was timed on this
machine: a plain form that is slower or larger is not the reference's."""


def main() -> None:
    compare_forms(
        "benchmarks.bench_search_step",
        SearchSize,
        search_step,
        lambda size: f"search_step_{size.space}_{size.order}",
        lambda size: f"One search step, {size.space}, {size.order}",
        Aim(ratio=4, memory=0.5),
        remark,
    )


def remark(size: SearchSize, result: dict[str, Any]) -> str:
    """Say so where the plain form is not that of the reference."""
    time_s, memory_mib = result["median_s"]["plain"], result["peak_memory_mib"]["plain"]
    if size != SearchSize() or (time_s <= MAX_PLAIN_S and memory_mib <= MAX_PLAIN_MIB):
        return ""
    return (
        f" **The ratio is void**: the plain form may take {MAX_PLAIN_S} s and "
        f"{MAX_PLAIN_MIB:,.0f} MiB, which is what the DARTS code takes."
    )


if __name__ == "__main__":
    main()
