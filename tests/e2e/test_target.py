"""Targets in a whole search."""

import json

import pytest

from nas.cli.search import main
from tests.e2e.runs import TINY

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
        ("parameters=9e9", "e6 parameters; choose a number in this range"),
    ],
)
def test_out_of_reach(target, message, tmp_path, capsys):
    """Refused before the run directory is made."""
    run = tmp_path / "run"
    assert main([*SMALL, "--epochs=2", f"--out={run}", f"--target={target}"]) == 2
    assert message in capsys.readouterr().err
    assert not run.exists()
