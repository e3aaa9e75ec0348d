"""A run directory of a search, made up so that the numbers in it are known."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from nas.space import CELL_TYPES, SearchSpace, load_space


def make_record(epoch: int, space: SearchSpace, num_epochs: int = 50) -> dict:
    """Make the record of one epoch; the alphas of an edge part slowly, in three groups."""
    progress = epoch / num_epochs
    alphas = {
        cell_type: [
            [
                (epoch * 0.1 * ((index + edge) % 3) if present else None)
                for index, present in enumerate(row)
            ]
            for edge, row in enumerate(space.mask(cell_type))
        ]
        for cell_type in CELL_TYPES
    }
    return {
        "epoch": epoch,
        "learning_rate": 0.0125 * (1 + math.cos(math.pi * progress)),
        "train_loss": 2.3 - 1.5 * progress,
        "train_accuracy": 10 + 70 * progress,
        "val_loss": 2.3 - 1.2 * progress,
        "val_accuracy": 10 + 60 * progress,
        "alphas": alphas,
        "entropy": {"normal": 2.0 - 0.3 * progress, "reduce": 2.0 - 0.1 * progress},
        "num_skips": {"normal": epoch % 4, "reduce": (epoch + 1) % 5},
        "genotype": {},
        "num_parameters": 3_349_342 + 1000 * epoch,
        "madds": 528_359_040 - 100_000 * epoch,
    }


@pytest.fixture
def make_run_dir(tmp_path) -> Callable[..., Path]:
    """Return a function that makes a run directory of so many epochs in a space."""

    def make(num_epochs: int, space_name: str = "darts+sandglass") -> Path:
        space = load_space(space_name)
        run_dir = tmp_path / "run"
        run_dir.mkdir()
        (run_dir / "space.yaml").write_text(space.to_yaml())
        lines = [json.dumps(make_record(epoch, space)) + "\n" for epoch in range(num_epochs)]
        (run_dir / "metrics.jsonl").write_text("".join(lines))
        return run_dir

    return make
