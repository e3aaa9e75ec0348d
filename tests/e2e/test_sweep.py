"""Many searches through submitit, on this machine."""

import json

import pytest
import yaml

from nas.cli.search import main as search
from nas.experiments.cluster import SweepConfig, main, plan
from tests.e2e.runs import TINY, flags


def test_what_is_missing_is_planned(tmp_path):
    """Every space with every seed, in a directory of its own; finished ones are left out."""
    config = SweepConfig(spaces=("darts", "s2"), seeds=(0, 7), search="a.yaml", out=str(tmp_path))
    assert [job.out.name for job in plan(config)] == [
        *("darts-seed0", "darts-seed7", "s2-seed0", "s2-seed7"),
    ]
    assert plan(config)[1].flags == ["--config=a.yaml", "--space=darts", "--seed=7"]
    (tmp_path / "s2-seed0").mkdir()
    (tmp_path / "s2-seed0" / "genotype.json").touch()
    assert [job.out.name for job in plan(config)] == ["darts-seed0", "darts-seed7", "s2-seed7"]


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--seeds=1,1", "--seeds: expected one or more, each once"),
        ("--gpus=1", "only with slurm"),
        ("--jobs=0", "--jobs"),
        ("--seed=1", "did you mean '--seeds'"),
    ],
)
def test_bad_settings(capsys, flag, message):
    assert main([flag]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_on_this_machine(tmp_path, capsys):
    """Two seeds in jobs of their own, one of them begun before; then there is nothing to do."""
    settings = {key: value for key, value in TINY.items() if key != "space"}
    path, out = tmp_path / "search.yaml", tmp_path / "sweep"
    path.write_text(yaml.safe_dump(settings))
    space = str(TINY["space"])
    argv = [f"--spaces={space}", "--seeds=0,1", f"--search={path}", f"--out={out}", "--jobs=2"]
    began = plan(SweepConfig((space,), (0, 1), str(path), str(out)))[1].out
    assert search(flags(out=began, seed=1)) == 0
    (began / "genotype.json").unlink()
    assert main(argv) == 0
    assert capsys.readouterr().out.count(": finished") == 2
    for seed, job in enumerate(sorted(path for path in out.iterdir() if path.name != "jobs")):
        assert json.loads((job / "genotype.json").read_text())["search"]["seed"] == seed
    assert main(argv) == 0 and ": finished" not in capsys.readouterr().out
