"""Targets in a whole search."""

import json
from pathlib import Path

import pytest

from nas.cli.main import main as nas
from nas.cli.search import main
from nas.config.network_size import CIFAR_SIZE
from nas.genotype import load_genotype
from nas.models.latency_table import read_latency_table
from nas.operators import resolve
from nas.space import load_space
from tests.e2e.documents import ROOT, as_nas, commands
from tests.e2e.runs import TINY
from tests.unit.deploy.test_latency_table import made_up

SMALL = [f"--{key}={value}" for key, value in TINY.items()]
TARGET = "--target=madds=300e6,warmup_epochs=0"


def records(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_search_with_a_target(tmp_path):
    """Expected and decoded cost are logged, and the target is in genotype.json."""
    run = tmp_path / "run"
    assert main([*SMALL, "--epochs=1", f"--out={run}", TARGET]) == 0
    lines = records(run)
    for line in lines:
        assert line["measures"]["madds/decoded"] == line["madds"]
        assert line["measures"]["madds/target"] == 300e6
        assert line["measures"]["madds/expected"] > 0
    assert json.loads((run / "genotype.json").read_text())["search"]["target"] == TARGET[9:]


@pytest.mark.slow
def test_the_alphas_follow_the_target(tmp_path):
    """They end elsewhere than without a target."""
    run, other = tmp_path / "run", tmp_path / "other"
    assert main([*SMALL, "--epochs=2", f"--out={run}", TARGET, "--alpha_learning_rate=0.1"]) == 0
    assert main([*SMALL, "--epochs=2", f"--out={other}", "--alpha_learning_rate=0.1"]) == 0
    assert records(other)[-1]["alphas"] != records(run)[-1]["alphas"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("madds=1e6", "target: madds: found 1e+06, but networks of space"),
        ("parameters=9e9", " parameters; choose a number in this range"),
    ],
)
def test_out_of_reach(target, message, tmp_path, capsys):
    """Refused before the run directory is made."""
    run = tmp_path / "run"
    assert main([*SMALL, "--epochs=2", f"--out={run}", f"--target={target}"]) == 2
    assert message in capsys.readouterr().err
    assert not run.exists()


@pytest.mark.slow
def test_a_target_of_latency(tmp_path, capsys):
    """The decoded cost is the offset and the sum over the table; another table is refused."""
    space = load_space(str(TINY["space"]))
    resolve(space)
    table = made_up(space, (3, 32, 32), CIFAR_SIZE, offset_ms=2.0)
    path = tmp_path / "table.json"
    path.write_text(table.to_json())
    low, high = table.costs(space, (3, 32, 32), CIFAR_SIZE).bounds()
    target = f"--target=latency_ms={(low + high) / 2},warmup_epochs=0"
    run = tmp_path / "run"
    flags = [*SMALL, "--epochs=1", f"--out={run}", target]
    path.write_text(made_up(space).to_json())
    assert main([*flags, f"--latency_table={path}"]) == 2
    assert "--latency_table: measured with 4 channels" in capsys.readouterr().err
    path.write_text(table.to_json())
    assert main([*flags, f"--latency_table={path}"]) == 0
    (record,) = records(run)
    cells = load_genotype(run)
    assert record["measures"]["latency_ms/decoded"] == table.sum_of(cells, space) + 2


@pytest.mark.slow
def test_the_page(tmp_path, monkeypatch, capsys):
    """Every command of docs/targets.md ends with exit code 0, at a small size."""
    monkeypatch.chdir(tmp_path)
    small = {
        "search": "--max_images=24 --init_channels=2 --num_cells=3 --batch_size=8 --epochs=2",
        "latency": "--calls=1 --networks=1",
    }
    done = []
    for command in commands(ROOT / "docs" / "targets.md"):
        words = as_nas(command)
        if "latency_ms=40" in words:  # what is reachable depends on the machine
            low, high = measured_bounds("latency.json")
            words[words.index("latency_ms=40")] = f"latency_ms={(low + high) / 2}"
        assert nas([*words, *small[words[0]].split()]) == 0, capsys.readouterr().err
        done.append(words[0])
    assert done == ["search", "latency", "search"]


def measured_bounds(path):
    space = load_space("darts")
    resolve(space)
    return read_latency_table(Path(path)).costs(space, (3, 32, 32), CIFAR_SIZE).bounds()
