"""A search that is stopped and resumed ends as if nothing had happened."""

import json
import signal
import subprocess
import sys
import time

import pytest
import torch

from nas.runtime.checkpoint import list_checkpoints, load_newest
from nas.search.searcher import Searcher
from tests.e2e.runs import STEPS, flags, search


@pytest.fixture(scope="module")
def whole(request, tmp_path_factory):
    """A run that was never stopped, and its order: the first, where a test names no other."""
    order = getattr(request, "param", "first_order")
    out = tmp_path_factory.mktemp("whole") / "run"
    assert search(out, architect=order) == 0
    return out, order


def stop_at_check(monkeypatch, number):
    """Let a SIGTERM arrive just before the n-th place at which the search looks for one."""
    original = Searcher.check_stop
    count = 0

    def check(self):
        nonlocal count
        count += 1
        if count == number:
            signal.raise_signal(signal.SIGTERM)
        original(self)

    monkeypatch.setattr(Searcher, "check_stop", check)


def assert_same(a, b):
    """metrics, genotype, weights and alphas agree bit for bit."""
    for name in ("metrics.jsonl", "genotype.json"):
        assert (a / name).read_bytes() == (b / name).read_bytes()
    first, second = (load_newest(out / "checkpoints") for out in (a, b))
    for part in ("net", "alphas"):
        for key, value in first[part].items():
            assert torch.equal(value, second[part][key]), key


# An epoch looks for a signal after each of its 3 steps and 3 measuring batches, and at its end.
# The contract of the search methods has one such test for each of them.
IN_A_STEP, AT_ITS_END, MEASURING = 2, 2 * STEPS + 1, STEPS + 2
OTHERS = [
    ("first_order", STEPS),
    ("first_order", 2 * STEPS + 3),
    *(
        ("second_order", number)
        for number in (IN_A_STEP, STEPS, MEASURING, AT_ITS_END, 2 * STEPS + 3)
    ),
]


@pytest.mark.parametrize(
    ("whole", "number"),
    [
        ("first_order", IN_A_STEP),
        ("first_order", MEASURING),
        ("first_order", AT_ITS_END),
        *(pytest.param(*other, marks=pytest.mark.slow) for other in OTHERS),
    ],
    indirect=["whole"],
)
def test_resumed_equals_never_stopped(whole, tmp_path, monkeypatch, capsys, number):
    """Stopped inside an epoch, while measuring, at its end, in the next one: the same bytes."""
    reference, architect = whole
    out = tmp_path / "run"
    with monkeypatch.context() as context:
        stop_at_check(context, number)
        assert search(out, architect=architect) == 128 + signal.SIGTERM
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("search.py: stopped") and f"--resume --out {out}" in said
    assert not (out / "genotype.json").exists()
    assert search(out, architect=architect, resume="true") == 0
    assert_same(reference, out)


def test_a_real_interrupt(tmp_path):
    """Ctrl-C in a process of its own: exit code 130, one line, a checkpoint, no traceback."""
    out = tmp_path / "run"
    command = [sys.executable, "search.py", *flags(out=out, epochs=200)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline_s = time.monotonic() + 60
    while not list_checkpoints(out / "checkpoints"):
        assert time.monotonic() < deadline_s and process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "search.py: stopped in epoch" in stderr and "Traceback" not in stderr


def test_settings_come_from_the_run(whole, tmp_path, monkeypatch):
    """--resume --out is enough; the other settings are read from the run."""
    from nas.cli.search import main

    reference, architect = whole
    out = tmp_path / "run"
    with monkeypatch.context() as context:
        stop_at_check(context, 2)
        search(out, architect=architect)
    assert main(["--resume", "--out", str(out)]) == 0
    assert_same(reference, out)


def test_a_torn_newest_checkpoint(whole, tmp_path, capsys):
    """The one before it is used, which is said, and no line of metrics is doubled."""
    reference, architect = whole
    out = tmp_path / "run"
    assert search(out, architect=architect) == 0
    newest = list_checkpoints(out / "checkpoints")[0]
    newest.write_bytes(newest.read_bytes()[:1000])
    assert search(out, architect=architect, resume="true") == 0
    assert newest.name in capsys.readouterr().err
    assert_same(reference, out)


def test_more_epochs(tmp_path):
    """A finished run goes on when --epochs is raised."""
    out = tmp_path / "run"
    assert search(out, epochs=1) == 0
    assert search(out, epochs=3, resume="true") == 0
    lines = (out / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2]


@pytest.mark.slow
def test_a_selection_afterwards(tmp_path):
    """A finished search takes a selection, and ends with the cells of one that had it at once.

    What it had found stays under another name.
    """
    for out in (tmp_path / "later", tmp_path / "at_once"):
        chosen = {} if out.name == "later" else {"selection": "darts_pt,interval=1"}
        assert search(out, epochs=1, **chosen) == 0
    assert not (tmp_path / "later" / "selection").exists()
    before = (tmp_path / "later" / "genotype.json").read_bytes()
    chosen = {"selection": "darts_pt,interval=1"}
    assert search(tmp_path / "later", epochs=1, resume="true", **chosen) == 0
    assert (tmp_path / "later" / "genotype_of_alphas.json").read_bytes() == before
    assert not (tmp_path / "at_once" / "genotype_of_alphas.json").exists()
    assert search(tmp_path / "later", epochs=1, resume="true") == 0
    assert (tmp_path / "later" / "genotype_of_alphas.json").read_bytes() == before
    for name in ("genotype.json", "selection/decisions.json"):
        first, second = (tmp_path / run / name for run in ("later", "at_once"))
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": 5}, "has seed 0, found 5"),
        ({"epochs": 1}, "has epochs 2, found 1"),
        ({"space": "s3"}, "has space"),
    ],
)
def test_a_changed_setting_is_named(whole, capsys, settings, message):
    """Resuming with other settings is refused, and the run is left alone."""
    out, architect = whole
    before = (out / "config.yaml").read_bytes()
    assert search(out, architect=architect, resume="true", **settings) == 2
    assert message in capsys.readouterr().err
    assert (out / "config.yaml").read_bytes() == before


def test_an_edited_space_is_noticed(tmp_path, capsys):
    """The space file must be the one that the run was started with."""
    path, out = tmp_path / "mine.yaml", tmp_path / "run"
    path.write_text("primitives: [skip_connect, sep_conv_3x3]\n")
    assert search(out, space=path, epochs=1) == 0
    path.write_text("primitives: [skip_connect, dil_conv_3x3]\n")
    assert search(out, space=path, epochs=1, resume="true") == 2
    assert "no longer the one of this run" in capsys.readouterr().err
