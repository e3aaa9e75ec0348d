"""Time the test of a found network on four batches of images against the plain form.

    python -m benchmarks.bench_augment_test [--genotype DARTS_V2] [--repeats 5]

Ours folds the BatchNorms first, which counts; plain is the eval mode of torch's own layers. The
forms are in benchmarks/steps.py; benchmarks/forms.py says how they are timed. Writes
benchmarks/results/augment_test_GENOTYPE.{md,json}.
"""

from benchmarks.aim import Aim
from benchmarks.forms import compare_forms
from benchmarks.steps import AugmentSize, augment_test


def main() -> None:
    compare_forms(
        "benchmarks.bench_augment_test",
        AugmentSize,
        augment_test,
        "augment_test",
        ("genotype",),
        lambda size: (
            f"A test of four batches, {size.genotype}, C={size.init_channels}, "
            f"{size.num_cells} cells, batch {size.batch_size}"
        ),
        Aim(ratio=2),
    )


if __name__ == "__main__":
    main()
