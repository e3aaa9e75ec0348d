"""Time one training step of MobileNeXt or MobileNetV2 against the plain form.

    python -m benchmarks.bench_network_step [--network mobilenet_v2] [--repeats 5]

The forms are in benchmarks/steps.py; benchmarks/forms.py says how they are timed. Writes
benchmarks/results/network_step_NETWORK.{md,json}.
"""

from benchmarks.aim import Aim
from benchmarks.forms import compare_forms
from benchmarks.steps import NetworkSize, network_step


def main() -> None:
    compare_forms(
        "benchmarks.bench_network_step",
        NetworkSize,
        network_step,
        "network_step",
        ("network",),
        lambda size: (
            f"One training step, {size.network} {size.width_mult:g}, "
            f"{size.image_size} x {size.image_size}, batch {size.batch_size}"
        ),
        Aim(ratio=2.5, memory=0.7),
    )


if __name__ == "__main__":
    main()
