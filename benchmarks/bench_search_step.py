"""Time one search step, an alpha step and a weight step, against the plain form.

    python -m benchmarks.bench_search_step [--space darts] [--order first_order] [--repeats 5]

Both forms (see benchmarks/steps.py) take turns in one process; the peak memory of each is that of a
process of its own. Writes benchmarks/results/search_step_SPACE_ORDER.{md,json}.
"""

from benchmarks.forms import compare_forms
from benchmarks.steps import SearchSize, search_step


def main() -> None:
    compare_forms(
        "benchmarks.bench_search_step",
        SearchSize,
        search_step,
        lambda size: f"search_step_{size.space}_{size.order}",
        lambda size: f"One search step, {size.space}, {size.order}",
    )


if __name__ == "__main__":
    main()
