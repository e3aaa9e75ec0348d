"""`nas detect train` on a tiny folder: a run, its files, resuming, and bad input."""

import json
from itertools import pairwise

import pytest
import torch

from nas.cli.main import main
from nas.config import DetectConfig
from nas.detect.trainer import learning_rate_at
from nas.errors import ConfigError
from nas.runtime.checkpoint import load_newest
from tests.unit.detect.voc_folder import annotation, small_voc, write_voc


def settings(folder, out, **changes):
    values = {
        "data": folder,
        "out": out,
        "model": "ssdlite320_mobilenext_0.1",
        "iterations": 4,
        "eval_interval": 2,
        "batch_size": 2,
        "workers": 0,
        "warmup_iterations": 2,
        "device": "cpu",
        **changes,
    }
    return [f"--{name}={value}" for name, value in values.items()]


def train(folder, out, **changes):
    return main(["detect", "train", *settings(folder, out, **changes)])


@pytest.mark.slow
def test_a_run_and_its_continuation(tmp_path, capsys):
    """The files of a run; raising `iterations` is refused, resuming repeats every byte."""
    folder = small_voc(tmp_path / "voc")
    assert train(folder, tmp_path / "whole") == 0
    assert "AP (11 points)" in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "whole").iterdir()}
    assert {"config.yaml", "env.json", "cost.json", "data.json", "detection.json"} <= names
    lines = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [2, 4]
    # The run again from its first checkpoint.
    assert train(folder, tmp_path / "cut") == 0
    newest = max((tmp_path / "cut" / "checkpoints").glob("*.pt"))
    newest.unlink()
    (tmp_path / "cut" / "detection.json").unlink()
    words = ["detect", "train", "--resume", f"--out={tmp_path / 'cut'}"]
    assert main(words) == 0
    for name in ("metrics.jsonl", "detection.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    whole, cut = (load_newest(tmp_path / name / "checkpoints")["net"] for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    capsys.readouterr()
    assert main([*words, "--iterations=6"]) == 2
    error = capsys.readouterr().err
    assert "has iterations 4, found 6" in error and "epochs" not in error


def test_bad_input(tmp_path, capsys):
    """One line and exit code 2, before anything is written."""
    folder = small_voc(tmp_path / "voc")
    damaged = write_voc(
        tmp_path / "damaged", {"a": annotation(("cat", (1, 1, 99, 9)))}, trainval="a", test="a"
    )
    for changes, words in (
        ({"data": damaged}, "outside of the image"),
        ({"model": "ssdlite"}, "--model: 'ssdlite' is unknown"),
        ({"eval_interval": 3}, "--eval_interval: found 3, which does not divide --iterations"),
        ({"classes": "cat"}, "not in the list of classes"),
        ({"classes": "cat,"}, "--classes: a class has no name"),
        ({"test_split": "val"}, "its splits are test, trainval"),
        ({"decay_iterations": "5,4"}, "--decay_iterations: expected rising numbers"),
        ({"batch_size": 20}, "--batch_size: found 20"),
        ({"backbone_weights": tmp_path / "none.pt"}, "none.pt: cannot be read"),
    ):
        assert train(changes.pop("data", folder), tmp_path / "out", **changes) == 2
        assert words in capsys.readouterr().err
    assert main(["detect", "train"]) == 2
    assert "--data is missing" in capsys.readouterr().err
    assert train(folder, tmp_path / "out", test_data=f"{folder},{tmp_path / 'x'}") == 2
    assert "x is no VOC folder" in capsys.readouterr().err
    two = ["detect", "train", f"--data={folder}", f"--data={tmp_path / 'y'}", "--device=cpu"]
    assert main([*two, f"--out={tmp_path / 'out'}"]) == 2
    assert "y is no VOC folder" in capsys.readouterr().err
    assert main(["detect", "tran"]) == 2
    assert not (tmp_path / "out").exists()


def test_learning_rate():
    """The recipe of the authors: warm-up from 0.1333 in 1000 iterations, two falls."""
    config = DetectConfig(data=("x",))
    rates = {i: learning_rate_at(i, config) for i in (0, 500, 999, 1000, 39_999, 40_000, 50_000)}
    assert rates[0] == pytest.approx(0.004 * 0.1333)
    assert rates[500] == pytest.approx(0.004 * (1 + 0.1333) / 2)
    assert rates[1000] == rates[39_999] == 0.004
    assert rates[40_000] == pytest.approx(4e-4) and rates[50_000] == pytest.approx(4e-5)
    warm_up = [learning_rate_at(i, config) for i in range(0, 1000, 50)]
    assert all(a < b for a, b in pairwise(warm_up))
    with pytest.raises(ConfigError, match="data"):
        DetectConfig()
