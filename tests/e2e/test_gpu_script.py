"""benchmarks/gpu.sh, as far as it runs without a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.documents import ROOT


@pytest.mark.slow
def test_every_case_runs(tmp_path):
    """One command measures all cases at a tiny size; compiling alone may take too long."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    flags = ["--device", "cpu", "--tiny", "--minutes", "30", "--out", str(tmp_path / "out.json")]
    done = subprocess.run(
        ["sh", "benchmarks/gpu.sh", *flags],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["golden"]["passed"]
    plain = [case for case in result["cases"] if case.get("compile", "off") == "off"]
    assert len(plain) > 15
    assert [case for case in plain if "not_run" in case] == []
    reasons = [case["not_run"] for case in result["cases"] if "not_run" in case]
    assert all(reason.startswith(("not finished", "no time")) for reason in reasons), reasons


@pytest.mark.slow
def test_whole_programs_are_timed():
    """benchmarks/bench_programs.py at a tiny size: both programs, their steps, six answers."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench_programs", "--tiny", "--repeats", "1"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "| search.py |" in done.stdout and "| `import nas` |" in done.stdout
