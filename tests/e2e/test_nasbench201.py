"""A search in the space of NAS-Bench-201 and training its cell, with the programs."""

import json
import signal

import pytest
import torch

from nas.cli.augment import main as augment
from nas.cli.search import main
from nas.config import AugmentConfig, resolved
from nas.genotype import load_genotype
from nas.report.html import write_report
from nas.runtime.checkpoint import load_newest
from nas.search.searcher import Searcher

TINY = {
    "space": "nasbench201",
    "dataset": "shapes",
    "image_size": 8,
    "max_images": 16,
    "batch_size": 4,
    "init_channels": 2,
    "num_cells": 1,
    "epochs": 2,
}
DATA = ("--dataset=shapes", "--image_size=8", "--max_images=16", "--batch_size=8", "--epochs=1")
CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|avg_pool_3x3~0|skip_connect~1|nor_conv_3x3~2|"


def search(out, **settings):
    return main([f"--{name}={value}" for name, value in {**TINY, "out": out, **settings}.items()])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished search."""
    out = tmp_path_factory.mktemp("search") / "run"
    assert search(out) == 0
    return out


def test_the_search_says_that_its_cell_could_be_chance(run, capsys):
    """Two epochs move nothing: one line at the end, and the numbers in metrics and report."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert list(records[-1]["decision"]) == ["normal"]
    assert records[-1]["decision"]["normal"]["entropy_share"] > 0.999
    assert "How far the cells are from chance" in (run / "report.html").read_text()
    assert search(run, resume="true") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "drawn by lot" in line]
    assert len(lines) == 1
    assert "--epochs, --max_images or --alpha_learning_rate" in lines[0]


def test_one_cell_goes_from_the_alphas_to_all_files(run):
    """One group of alphas; genotype.json, the last record and the picture hold one cell."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert list(records[-1]["alphas"]) == ["normal"]
    genotype = load_genotype(run)
    assert genotype.cells() == {
        "family": "nasbench201",
        "normal": genotype.normal,
        "normal_concat": (3,),
    }
    assert load_genotype(genotype.to_text()) == genotype
    assert records[-1]["genotype"]["family"] == "nasbench201"
    assert genotype.search["decode_rule"] == "on every edge the strongest operator, none included"
    assert (run / "cell_normal.png").is_file() and not (run / "cell_reduce.png").exists()
    page = (run / "report.html").read_text()
    assert "16 channels and 5 cells" in page and "reduction cell" not in page


def test_resumed_equals_never_stopped(run, tmp_path, monkeypatch):
    """Stopped inside the second epoch: the same bytes, the same weights."""
    checks = 0
    original = Searcher.check_stop

    def check(self):
        nonlocal checks
        checks += 1
        if checks == 7:
            signal.raise_signal(signal.SIGTERM)
        original(self)

    with monkeypatch.context() as context:
        context.setattr(Searcher, "check_stop", check)
        assert search(tmp_path / "run") == 128 + signal.SIGTERM
    assert search(tmp_path / "run", resume="true") == 0
    for name in ("metrics.jsonl", "genotype.json"):
        assert (tmp_path / "run" / name).read_bytes() == (run / name).read_bytes()
    weights, resumed = (load_newest(out / "checkpoints")["net"] for out in (run, tmp_path / "run"))
    assert all(torch.equal(value, resumed[key]) for key, value in weights.items())


def test_training_has_the_size_of_the_benchmark_unless_told_otherwise():
    config = resolved(AugmentConfig(), "nasbench201")
    assert (config.init_channels, config.num_cells, config.stem) == (16, 5, "cifar")
    assert (config.auxiliary_weight, config.drop_path_prob) == (0, 0)
    assert resolved(AugmentConfig(num_cells=2), "nasbench201").num_cells == 2


def test_the_cell_is_trained(tmp_path):
    """With micro-batches; the report and the pictures are written, and it is measured again."""
    out = tmp_path / "train"
    size = ("--init_channels=2", "--num_cells=1")
    assert augment([*DATA, *size, f"--genotype={CELL}", f"--out={out}", "--micro_batch=4"]) == 0
    assert load_genotype(out).to_text() == CELL
    assert (out / "cell_normal.png").is_file()
    assert write_report(out).is_file()
    assert augment([f"--evaluate={out}"]) == 0


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (["--genotype=|nor_conv_5x5~0|"], ["unknown operator 'nor_conv_5x5'", "nor_conv_3x3"]),
        (["--genotype=|none~0|none~1|"], ["node 1: found 2 operators"]),
        (
            ["--genotype=|none~0|", "--space=nasbench201"],
            ["--space: found nasbench201", "has 1 nodes, the space 3"],
        ),
        ([f"--genotype={CELL}", "--space=darts"], ["of the family nasbench201, the space of cell"]),
        (
            [f"--genotype={CELL}", "--auxiliary_weight=0.4"],
            ["--auxiliary_weight: ", "no auxiliary"],
        ),
        ([f"--genotype={CELL}", "--drop_path_prob=0.2"], ["--drop_path_prob: ", "no drop path"]),
        ([f"--genotype={CELL}", "--stem=imagenet"], ["--stem: ", "leave it out"]),
    ],
)
def test_bad_input_of_a_training(tmp_path, capsys, flags, parts):
    assert augment([*DATA, f"--out={tmp_path / 'run'}", *flags]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert all(part in line for part in parts), line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"method": "fair_darts"}, ["--space: nasbench201 is of the family nasbench201"]),
        ({"method": "snas,keep=two_edges"}, ["keep: found two_edges", "every edge is kept"]),
        ({"target": "madds=1e6"}, ["--target: found madds=1e6", "nasbench201"]),
        ({"space": "darts", "num_cells": 2}, ["--num_cells: expected at least 3", "found 2"]),
    ],
)
def test_bad_input_of_a_search(tmp_path, capsys, settings, parts):
    assert search(tmp_path / "run", **settings) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert all(part in line for part in parts), line
