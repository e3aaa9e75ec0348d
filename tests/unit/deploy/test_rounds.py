"""Rounds of a measurement: stopped and continued, and refused with other settings."""

import json
import os
import signal

import pytest

from nas.deploy.rounds import Rounds
from nas.errors import ConfigError, ReportError
from nas.signals import Stopped

SETTINGS = {"engine": "eager", "threads": 1}


def test_a_measurement_that_is_stopped_goes_on(tmp_path):
    """After whole rounds; the folder is gone when it is removed."""
    folder, calls = tmp_path / "t.json.partial", []

    def build():
        return lambda: (
            calls.append(0) or (len(calls) == 10 and os.kill(os.getpid(), signal.SIGTERM))
        )

    with pytest.raises(Stopped, match="stopped after 2 of 4 rounds; the same command") as stopped:
        Rounds(folder, SETTINGS).run({"a": build}, 20)
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    lines = (folder / "rounds.jsonl").read_text().splitlines()
    times = Rounds(folder, SETTINGS).run({"a": build}, 20)
    assert len(lines) == 2 and len(calls) == 4 * 7  # two that warm up, five that count
    assert times["a"].shape == (4,) and (times["a"] > 0).all()
    assert times["a"][:2].tolist() == [json.loads(line)["a"] for line in lines]
    again = Rounds(folder, SETTINGS)
    again.remove()
    assert not folder.exists()


def test_another_candidate_runs_between_calls(tmp_path):
    """Before each timed call, untimed; the clock is the one that is given."""
    done = []
    builders = {name: lambda n=name: lambda: done.append(n) for name in "ab"}
    ticks = iter(range(100))
    times = Rounds(tmp_path / "t", SETTINGS).run(builders, 5, {"a": "b"}, lambda: next(ticks))
    assert "".join(done) == "aa" + "ba" * 5 + "b" * 7
    assert times["a"].tolist() == times["b"].tolist() == [1000.0]  # a tick is a second


def test_other_settings_are_refused(tmp_path):
    Rounds(tmp_path / "part", SETTINGS)
    with pytest.raises(ConfigError, match=r"out: .* stopped and had another threads; remove the"):
        Rounds(tmp_path / "part", SETTINGS | {"threads": 2})


def test_damaged_rounds_are_refused(tmp_path):
    Rounds(tmp_path, SETTINGS)
    (tmp_path / "rounds.jsonl").write_text('{"a": "x"}\n')
    with pytest.raises(ReportError, match=r"rounds.jsonl:1: expected numbers; remove the folder"):
        Rounds(tmp_path, SETTINGS)
