"""Committed results are not older than the last change that would change them.

CHANGELOG.md marks such a change with `results: PROGRAM DATE`, as CONTRIBUTING.md explains.
"""

import datetime
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "experiments"
PROGRAMS = ("search", "augment", "detect")
MARKER = re.compile(r"`results: (\S+) (\S+)`")


def program_of(run):
    """Name the program that made a run, by what only its runs have."""
    files = {"space.yaml": "search", "evaluation.json": "augment", "detection.json": "detect"}
    return next(program for file, program in files.items() if (run / file).exists())


def newest_changes(text):
    """Return, by program, when its results changed last."""
    newest = {}
    for program, date in MARKER.findall(text):
        assert program in PROGRAMS, f"results: unknown program {program}"
        moment = datetime.datetime.fromisoformat(date)
        newest[program] = max(moment, newest.get(program, moment))
    return newest


def stale_since(program, code_date, changes):
    """Return the change that code of a date lacks, or None; code without a date lacks all."""
    change = changes.get(program)
    if change is None or (code_date and datetime.datetime.fromisoformat(code_date) >= change):
        return None
    return change


CHANGES = newest_changes((ROOT / "CHANGELOG.md").read_text())
RUNS = sorted(EXPERIMENTS.rglob("env.json"))
TABLES = sorted(EXPERIMENTS.rglob("results.json"))


@pytest.mark.parametrize("file", RUNS, ids=lambda file: str(file.parent.relative_to(EXPERIMENTS)))
def test_a_run_is_not_stale(file):
    """The code that made it has every change that changes results."""
    environment = json.loads(file.read_text())
    program = program_of(file.parent)
    change = stale_since(program, environment.get("commit_date"), CHANGES)
    assert change is None, f"{program}: results changed at {change}; repeat or remove this run"


@pytest.mark.parametrize("file", TABLES, ids=lambda file: file.parent.name)
def test_a_table_is_not_stale(file):
    """It says what made it, and no run in it is stale."""
    table = json.loads(file.read_text())
    assert table["command"] and table["made"]
    for made in table["made"]:
        assert made["commits"] and made["machines"]
        change = stale_since(made["program"], made["oldest_code"], CHANGES)
        assert change is None, f"{made['program']}: results changed at {change}; make it again"


def test_the_changelog_has_a_marker():
    """The wrong gradients of searches on a CPU, fixed on 24 November 2026, are one."""
    assert CHANGES["search"] >= datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("code_date", "is_stale"),
    [
        ("2026-01-02T00:00:00+00:00", True),
        ("2026-01-02T11:59:59+02:00", True),
        ("2026-01-02T10:00:00+00:00", False),
        ("2026-01-03T00:00:00+00:00", False),
        (None, True),
    ],
)
def test_old_evidence_is_refused(code_date, is_stale):
    """Of two markers the newer one counts, time zones included; other programs do not matter."""
    changes = newest_changes(
        "- A. `results: search 2026-01-02T10:00:00Z`\n- B `results: search 2025-01-01T00:00:00Z`"
    )
    assert (stale_since("search", code_date, changes) is not None) is is_stale
    assert stale_since("augment", code_date, changes) is None
