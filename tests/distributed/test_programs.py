"""The programs on two ranks: one result, one writer, a dead rank, a restart."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import torch

from nas.cli.augment import main as augment
from nas.cli.search import main as search
from nas.data.shapes.dataset import NUM_IMAGES
from nas.runtime.checkpoint import list_checkpoints, load_newest
from nas.search import Searcher
from tests.e2e.kills import forked
from tests.e2e.runs import flags
from tests.e2e.test_augment import flags as augment_flags

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
WITHIN_S = 30


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """100 test images, and epochs without what only describes them."""
    monkeypatch.setitem(NUM_IMAGES, "test", 101)
    monkeypatch.setattr("nas.search.searcher.epoch_record", lambda **_: {})
    monkeypatch.setattr(Searcher, "describe", lambda *_: "")
    monkeypatch.setattr("nas.cli.run_search.SearchLog.on_epoch", lambda *_: None)
    monkeypatch.setattr("nas.report.cells.diagram.draw_cells", lambda *_: [])
    monkeypatch.setattr("nas.cli.run_search.write_report", lambda path: path)
    monkeypatch.setattr("nas.report.cells.diagram.draw_cells", lambda *_: [])
    monkeypatch.setattr("nas.cli.run_augment.write_report", lambda path: path)


def start(main, argv, size=2, restarts=0):
    """Start a program on ranks, as torchrun does, without its start-up time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def join(rank):
        os.environ |= {
            **{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)},
            **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
            "TORCHELASTIC_RESTART_COUNT": str(restarts),
        }

    return [forked(main, argv, lambda rank=rank: join(rank)) for rank in range(size)]


def finish(processes, timeout_s=200):
    for process in processes:
        process.join(timeout_s)
    return [process.exitcode for process in processes]


def wait_for_checkpoint(out):
    deadline_s = time.monotonic() + 120
    while not list_checkpoints(out / "checkpoints"):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_a_search_a_dead_rank_and_a_restart(tmp_path, capfd):
    """A killed rank ends the other within 30 s, saying so; started again the run ends the same."""
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert finish(start(search, flags(out=whole))) == [0, 0]
    assert capfd.readouterr().out.count("2 processes with 4 images of a batch each") == 1

    argv = flags(out=out, checkpoint_minutes=1e-9)
    ranks = start(search, argv)
    wait_for_checkpoint(out)
    ranks[1].kill()
    died_s = time.monotonic()
    codes = finish(ranks, WITHIN_S)
    assert time.monotonic() - died_s < WITHIN_S
    assert codes == [2, -signal.SIGKILL]
    assert "another rank failed" in capfd.readouterr().err

    assert finish(start(search, argv, restarts=1)) == [0, 0]
    for name in ("metrics.jsonl", "genotype.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    first, second = (load_newest(path / "checkpoints") for path in (whole, out))
    for part in ("net", "alphas"):
        for key, value in first[part].items():
            assert torch.equal(value, second[part][key]), key


def test_a_retrain_stops_together_and_measures_exactly(tmp_path, capfd):
    """A signal to one rank stops all after the same step; 101 test images are 101."""
    out = tmp_path / "run"
    argv = augment_flags(out=out, epochs=2, checkpoint_minutes=1e-9, drop_path_prob=0.2)
    ranks = start(augment, argv)
    wait_for_checkpoint(out)
    os.kill(ranks[1].pid, signal.SIGUSR1)
    assert finish(ranks) == [128 + signal.SIGUSR1] * 2
    assert capfd.readouterr().err.count("augment.py: stopped in epoch") == 1

    assert augment([f"--out={out}", "--resume"]) == 2  # alone
    assert "was started with 2 processes, found 1" in capfd.readouterr().err
    assert finish(start(augment, [f"--out={out}", "--resume"])) == [0, 0]
    found = json.loads((out / "evaluation.json").read_text())
    assert found["num_images"] == 101 == sum(map(sum, found["confusion"]))
    again = tmp_path / "again"
    argv = [f"--evaluate={out}", f"--out={again}", "--eval_batch_size=7"]
    assert finish(start(augment, argv, 3)) == [0] * 3
    measured = json.loads((again / "evaluation.json").read_text())
    assert measured["confusion"] == found["confusion"]
    assert measured["loss"] == pytest.approx(found["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 9}, "--batch_size: found 9, which cannot be divided evenly"),
        ({"sync_batchnorm": "true"}, "--sync_batchnorm: needs a GPU"),
        ({"out": "OUT"}, "rank 0 failed; see its error"),
    ],
)
def test_what_ranks_refuse(tmp_path, capfd, settings, message):
    """One line a rank, exit code 2, no hang."""
    out = tmp_path / "run"
    if "out" in settings:
        out.mkdir()
        (out / "metrics.jsonl").touch()
    assert finish(start(search, flags(**{**settings, "out": out})), WITHIN_S) == [2, 2]
    said = capfd.readouterr().err
    assert message in said and "Traceback" not in said


@pytest.mark.slow
def test_torchrun_restarts_and_resumes(tmp_path):
    """The real torchrun: a worker killed with -9 is started again and the run ends the same."""
    whole, out = tmp_path / "whole", tmp_path / "run"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [
        *torchrun,
        "--max-restarts=1",
        "search.py",
        *flags(checkpoint_minutes=1e-9, epochs=3),
    ]
    subprocess.run([*command, f"--out={whole}"], check=True, timeout=500, capture_output=True)
    process = subprocess.Popen([*command, f"--out={out}"], stderr=subprocess.PIPE, text=True)
    wait_for_checkpoint(out)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True
    ).stdout.split()
    os.kill(int(children[-1]), signal.SIGKILL)
    _, stderr = process.communicate(timeout=500)
    assert process.returncode == 0, stderr
    assert "exitcode: -9" in stderr or "Signal 9" in stderr or "lost the other ranks" in stderr
    for name in ("metrics.jsonl", "genotype.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
