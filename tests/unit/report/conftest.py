"""Run directories, made up so that the numbers in them are known."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from nas.genotype import load_genotype
from nas.report import comparison, html
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


def make_training_record(epoch: int, num_epochs: int, with_test: bool, with_val: bool) -> dict:
    """Make the record of one epoch of a training run; no two curves share a value."""
    progress = epoch / num_epochs
    record = {
        "epoch": epoch,
        "learning_rate": 0.025 * (1 - progress),
        "drop_path_prob": 0.2 * progress,
        "train_loss": 2.3 - 1.5 * progress,
        "train_accuracy": 10 + 70 * progress,
    }
    for split, offset in (("test", 2.0), ("val", 1.0)):
        if with_test if split == "test" else with_val:
            record[f"{split}_loss"] = 2.3 - progress + offset
            record[f"{split}_accuracy"] = 10 + 60 * progress + offset
            record[f"{split}_top5_accuracy"] = 50 + 40 * progress + offset
    return record


def make_cost() -> dict:
    """Make the contents of cost.json: two cells and a head of known cost."""
    layers = [
        ("stem.0", "Conv2d", [8, 32, 32], 216, 221184),
        ("cells.0.preprocess.1", "Conv2d", [8, 32, 32], 64, 65536),
        ("cells.0.nodes.0.0", "Conv2d", [16, 16, 16], 1000, 256000),
        ("cells.1.nodes.0.0", "Conv2d", [16, 16, 16], 2000, 512000),
        ("auxiliary_head.1", "Linear", [], 5000, 0),
        ("classifier", "Linear", [3], 51, 48),
    ]
    keys = ("name", "kind", "output_shape", "num_parameters", "madds")
    return {
        "image_shape": [3, 32, 32],
        "num_parameters": 3331,
        "num_parameters_with_auxiliary": 8331,
        "madds": 1054768,
        "layers": [dict(zip(keys, layer, strict=True)) for layer in layers],
    }


def make_evaluation(epoch: int, classes: list[str]) -> dict:
    """Make the contents of evaluation.json; the last class has no images."""
    confusion = [[0] * len(classes) for _ in classes]
    confusion[0][:2] = [40, 10]
    confusion[1][:2] = [7, 43]
    return {
        "split": "test",
        "epoch": epoch,
        "num_images": 100,
        "loss": 0.5432,
        "top1": 83.0,
        "top5": 98.76,
        "classes": classes,
        "per_class_accuracy": [80.0, 86.0, *[None] * (len(classes) - 2)],
        "confusion": confusion,
    }


ENVIRONMENT = {
    "nas": "0.1.0",
    "commit": "0123456789abcdef0123456789abcdef01234567-dirty",
    "command": ["augment.py", "--genotype", "DARTS_V2", "--out", "my runs/one"],
    "torch": "2.9.0",
    "cuda": None,
}


@pytest.fixture
def make_training_dir(tmp_path) -> Callable[..., Path]:
    """Return a function that makes the finished run directory of a training run."""

    def make(
        num_epochs: int = 4, name: str = "training", eval_interval: int = 2, **settings
    ) -> Path:
        run_dir = tmp_path / name
        run_dir.mkdir()
        config = {"genotype": "DARTS_V2", "space": None, "dataset": "cifar10", "seed": 0}
        config |= {"epochs": num_epochs, "val_fraction": 0.1, "out": "my runs/one"} | settings
        (run_dir / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        (run_dir / "env.json").write_text(json.dumps(ENVIRONMENT))
        (run_dir / "genotype.json").write_text(load_genotype("DARTS_V2").to_json())
        (run_dir / "cost.json").write_text(json.dumps(make_cost()))
        evaluation = make_evaluation(max(num_epochs - 1, 0), ["ant", "bee", "cow"])
        (run_dir / "evaluation.json").write_text(json.dumps(evaluation))
        records = [
            make_training_record(epoch, num_epochs, (epoch + 1) % eval_interval == 0, True)
            for epoch in range(num_epochs)
        ]
        times = [
            {"epoch": epoch, "time_s": 100.5, "peak_memory_mib": 1000.4 + epoch}
            for epoch in range(num_epochs)
        ]
        for file, lines in (("metrics.jsonl", records), ("timing.jsonl", times)):
            (run_dir / file).write_text("".join(json.dumps(line) + "\n" for line in lines))
        return run_dir

    return make


@pytest.fixture
def make_search_dir(make_run_dir) -> Callable[..., Path]:
    """Return a function that makes the finished run directory of a search, every file in it."""

    def make(num_epochs: int = 3, space_name: str = "darts") -> Path:
        run_dir = make_run_dir(num_epochs, space_name)
        config = {"space": space_name, "dataset": "shapes", "seed": 7, "epochs": num_epochs}
        (run_dir / "config.yaml").write_text(yaml.safe_dump(config))
        (run_dir / "env.json").write_text(json.dumps(ENVIRONMENT))
        (run_dir / "genotype.json").write_text(load_genotype("DARTS_V1").to_json())
        times = [{"epoch": epoch, "time_s": 10.0} for epoch in range(num_epochs)]
        (run_dir / "timing.jsonl").write_text("".join(json.dumps(line) + "\n" for line in times))
        return run_dir

    return make


@pytest.fixture
def blank_pictures(monkeypatch) -> None:
    """Leave the figures built but not drawn, which takes most of the time of a report."""
    for module in (html, comparison):
        monkeypatch.setattr(module, "png_bytes", lambda figure: b"\x89PNG\r\n\x1a\n")
