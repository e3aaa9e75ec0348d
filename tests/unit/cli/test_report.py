"""`nas report`, called as its main and once as a user runs it, under its older name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas.cli.report import main

REPO = Path(__file__).parents[3]


def test_one_run_is_reported(make_training_dir):
    """The program prints the path it wrote, and nothing on stderr."""
    run_dir = make_training_dir(1)
    environment = {**os.environ, "PYTHONPATH": str(REPO), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-m", "nas.report", str(run_dir)],
        **{"env": environment, "capture_output": True, "text": True, "timeout": 60},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{run_dir / 'report.html'}\n"
    assert (run_dir / "report.html").is_file() and (run_dir / "curves.png").is_file()


@pytest.mark.usefixtures("blank_pictures")
def test_several_runs_are_compared(
    make_training_dir, make_search_dir, capsys, monkeypatch, tmp_path
):
    """Each run gets its report, and the comparison goes here."""
    runs = [str(make_training_dir(1)), str(make_search_dir(1))]
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert main(runs) == 0
    reports = [f"{run}/report.html" for run in runs]
    assert capsys.readouterr().out.splitlines() == [*reports, "comparison.html"]
    assert [path.name for path in here.iterdir()] == ["comparison.html"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "RUN is missing"),
        (["{none}"], "this directory does not exist"),
        (["{empty}"], "neither a search"),
        (["{run}", "{none}"], "this directory does not exist"),
        (["{run}", "{run}/."], "named twice"),
        (["{run}", "--out", "c.html"], "--out has an effect only with several runs"),
        (["{run}", "{broken}", "--out", "c.html"], "metrics.jsonl: line 1: not a JSON object"),
        (["{run}", "--ou", "c.html"], "unknown flag '--ou'; did you mean '--out'"),
    ],
)
def test_error_is_one_line_and_exit_code_2(arguments, said, make_training_dir, tmp_path, capsys):
    """An error of the user is one line on stderr, exit code 2, and no report."""
    places = {"none": tmp_path / "none", "empty": tmp_path / "empty"}
    places |= {"run": make_training_dir(1), "broken": make_training_dir(1, "broken")}
    places["empty"].mkdir()
    (places["broken"] / "metrics.jsonl").write_text("<script>\n")
    assert main([argument.format(**places) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("nas report: error: ") and said in line
    assert not (places["run"] / "report.html").exists()


@pytest.mark.usefixtures("blank_pictures")
def test_comparison_goes_to_out(make_training_dir, tmp_path, capsys):
    """--out names the file, in a folder that is made; below a file it is exit code 2."""
    runs = [make_training_dir(1, "a"), make_training_dir(1, "b")]
    (tmp_path / "file").write_text("")
    assert main([*map(str, runs), "--out", str(tmp_path / "file" / "c.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert all((run / "report.html").is_file() for run in runs)
    assert main([*map(str, runs), "--out", str(tmp_path / "new" / "c.html")]) == 0
    assert (tmp_path / "new" / "c.html").is_file()
