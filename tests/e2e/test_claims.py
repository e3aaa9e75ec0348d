"""One command from a claim to a table, whatever happens in between."""

import signal
import subprocess
import sys
import time

import pytest

from nas.claims.__main__ import INCOMPLETE, main
from nas.runtime.checkpoint import list_checkpoints
from tests.e2e.runs import SPACE, TINY


@pytest.fixture
def folder(tmp_path):
    """A search and two retrains, of seconds."""
    (tmp_path / "claim.yaml").write_text(
        f"title: Tiny\nsearch_config: search.yaml\nspaces: ['{SPACE}']\nsearch_seeds: [0]\n"
        "augment_config: augment.yaml\naugment_seeds: [0, 1]\n"
    )
    small = {key: value for key, value in TINY.items() if key != "space"} | {"epochs": 1}
    for name in ("search", "augment"):
        lines = [f"{key}: {value}\n" for key, value in small.items()]
        (tmp_path / f"{name}.yaml").write_text("".join(lines))
    return tmp_path


def test_all_at_once_and_then_nothing_to_do(folder, capsys):
    """The table at the end; a second call runs nothing and writes the same bytes."""
    assert main([str(folder), "--jobs", "2"]) == 0
    first = (folder / "results.md").read_bytes()
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("*/*/evaluation.json")}
    assert len(stamps) == 2 and "Tiny" in capsys.readouterr().out
    assert main([str(folder)]) == 0
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert (folder / "results.md").read_bytes() == first
    assert "start" not in capsys.readouterr().out


def test_a_failed_run_is_reported_and_repeated(folder, capsys):
    """What needs a failed search is not run; the next call tries again."""
    (folder / "search.yaml").write_text("dataset: imagefolder\nimage_size: 32\ndata: nowhere\n")
    assert main([str(folder)]) == INCOMPLETE
    said = capsys.readouterr()
    assert "there is no folder" in said.out + said.err
    assert "3 runs left" in said.err


def test_killed_and_continued(folder):
    """SIGTERM stops the run in order; the next call resumes it; two at a time are refused."""
    text = (folder / "search.yaml").read_text().replace("epochs: 1", "epochs: 40")
    (folder / "search.yaml").write_text(text)
    command = [sys.executable, "-m", "nas.claims", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline_s = time.monotonic() + 60
    while not [*folder.glob("search/*/checkpoints/step_*.pt")]:
        assert time.monotonic() < deadline_s and process.poll() is None
        time.sleep(0.1)
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 2 and "going on already" in second.stderr
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == INCOMPLETE and "it will be resumed" in out, err
    (search,) = folder.glob("search/*")
    assert list_checkpoints(search / "checkpoints") and not (search / "genotype.json").exists()
    lines = len((search / "metrics.jsonl").read_text().splitlines())
    assert 1 <= lines < 40
    # What is left in 0.02 minutes is not enough either: it stops by itself and can go on.
    assert main([str(folder), "--max_minutes", "0.02"]) == INCOMPLETE
    assert not (search / "genotype.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "--jobs"),
        (["--max_minutes", "nan"], "--max_minutes"),
        (["--max_minutes", "-1"], "--max_minutes"),
    ],
)
def test_bad_flags(folder, capsys, arguments, message):
    assert main([str(folder), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_no_claim(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "claim.yaml" in capsys.readouterr().err


def test_dry_run(folder, capsys):
    """It lists the runs and starts none."""
    assert main([str(folder), "--dry_run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(line.startswith("missing") for line in lines)
    assert {path.name for path in folder.iterdir()} == {
        *("augment.yaml", "claim.yaml", "search.yaml")
    }
