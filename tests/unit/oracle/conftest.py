"""A small table, and run directories of searches that found cells of it."""

import json

import pytest
import yaml

from nas.genotype import load_genotype

ARCHS = [
    f"|{a}~0|+|{b}~0|{c}~1|" for a in ("none", "x") for b in ("none", "x") for c in ("none", "x")
]
ACCURACIES = [10.0, 20.0, 30.0, 30.0, 50.0, 60.0, 70.0, 80.0]


@pytest.fixture
def write_table(tmp_path):
    """Write lines as a table; without lines the whole table of 8 architectures."""

    def write(lines=None, name="table.csv"):
        rows = [
            f"{arch},{value},{value / 2}" for arch, value in zip(ARCHS, ACCURACIES, strict=True)
        ]
        path = tmp_path / name
        path.write_text("\n".join(lines or ["arch,first,second", *rows]) + "\n")
        return path

    return write


@pytest.fixture
def write_run(tmp_path):
    """Write the run directory of a search with a cell for each epoch."""

    def write(name, archs, *, finished=True, **config):
        path = tmp_path / name
        write_run_at(path, archs, finished=finished, **config)
        return str(path)

    return write


def write_run_at(path, archs, *, finished=True, **config):
    """Write the run directory of a search with a cell for each epoch."""
    path.mkdir(parents=True)
    settings = {"space": "mine", "method": "darts", "out": str(path), "epochs": 2, **config}
    (path / "config.yaml").write_text(yaml.safe_dump(settings))
    numbers = dict.fromkeys(
        ("learning_rate", "train_loss", "train_accuracy", "val_loss", "val_accuracy"), 0.5
    )
    sizes = {"num_parameters": 5, "madds": 7}
    groups = {"entropy": {"normal": 0.1}, "num_skips": {"normal": 1}}
    alphas = {"alphas": {"normal": [[0.0, 1.0]] * 3}}
    lines = [
        json.dumps(
            {"epoch": epoch, **numbers, **sizes, **groups, **alphas}
            | {"genotype": load_genotype(arch).cells()}
        )
        for epoch, arch in enumerate(archs)
    ]
    (path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    if finished:
        (path / "genotype.json").write_text(load_genotype(archs[-1]).to_json())
