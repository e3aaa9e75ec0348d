"""Time the test of MobileNeXt or MobileNetV2 on ten batches against the plain form.

    python -m benchmarks.bench_network_test [--network mobilenet_v2] [--repeats 5]

Ours folds the BatchNorms first, which counts; plain is the eval mode of torch's own layers. The
forms are in benchmarks/steps.py; benchmarks/forms.py says how they are timed. Writes
benchmarks/results/network_test_NETWORK.{md,json}.
"""

from benchmarks.aim import Aim
from benchmarks.forms import compare_forms
from benchmarks.steps import NetworkSize, network_test


def main() -> None:
    compare_forms(
        "benchmarks.bench_network_test",
        NetworkSize,
        network_test,
        "network_test",
        ("network",),
        lambda size: (
            f"A test of ten batches, {size.network} {size.width_mult:g}, "
            f"{size.image_size} x {size.image_size}, batch {size.batch_size}"
        ),
        Aim(ratio=2),
    )


if __name__ == "__main__":
    main()
