"""A cell learns what a linear classifier cannot."""

import json

from nas.cli.augment import main
from nas.data.shapes.dataset import NUM_IMAGES

LINEAR = 21.3  # percent, benchmarks/results/shapes_linear.md


def test_a_small_network_learns_shapes(tmp_path, monkeypatch):
    """At a fraction of the quickstart's size, far above a linear classifier (and chance: 10)."""
    monkeypatch.setitem(NUM_IMAGES, "test", 500)
    arguments = ["--config=experiments/quickstart/augment.yaml", "--genotype=PC_DARTS_CIFAR"]
    arguments += ["--max_images=400", "--epochs=3", "--init_channels=6", "--batch_size=16"]
    arguments += [f"--out={tmp_path / 'run'}"]
    assert main(arguments) == 0
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert found["num_images"] == 500
    assert found["top1"] > LINEAR + 15
