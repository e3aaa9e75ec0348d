"""Time one search step, an alpha step and a weight step, against the plain form.

    python -m benchmarks.bench_search_step [--space darts] [--order first_order] [--repeats 5]

The forms are in benchmarks/steps.py; benchmarks/forms.py says how they are timed. Writes
benchmarks/results/search_step_SPACE_ORDER.{md,json}. `bench_reference` times the plain form against
the DARTS code.
"""

from benchmarks.aim import Aim
from benchmarks.forms import compare_forms
from benchmarks.steps import SearchSize, search_step


def main() -> None:
    compare_forms(
        "benchmarks.bench_search_step",
        SearchSize,
        search_step,
        "search_step",
        ("space", "order"),
        lambda size: (
            f"One search step, {size.space}, {size.order}, C={size.init_channels}, "
            f"{size.num_cells} cells, batch {size.batch_size}"
        ),
        Aim(ratio=4, memory=0.5),
    )


if __name__ == "__main__":
    main()
