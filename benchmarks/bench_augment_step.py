"""Time one training step of a found network against the plain form.

    python -m benchmarks.bench_augment_step [--genotype DARTS_V2] [--repeats 5]

The forms are in benchmarks/steps.py; benchmarks/forms.py says how they are timed. Writes
benchmarks/results/augment_step_GENOTYPE.{md,json}.
"""

from benchmarks.aim import Aim
from benchmarks.forms import compare_forms
from benchmarks.steps import AugmentSize, augment_step


def main() -> None:
    compare_forms(
        "benchmarks.bench_augment_step",
        AugmentSize,
        augment_step,
        "augment_step",
        ("genotype",),
        lambda size: (
            f"One training step, {size.genotype}, C={size.init_channels}, "
            f"{size.num_cells} cells, batch {size.batch_size}"
        ),
        Aim(ratio=2.5, memory=0.7),
    )


if __name__ == "__main__":
    main()
