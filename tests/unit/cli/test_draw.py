"""`nas draw`, run as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas.genotype import load_genotype

REPO = Path(__file__).parents[3]


def run(*arguments, cwd=REPO) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(REPO), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "nas", "draw", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_pictures_are_written_and_their_paths_printed(tmp_path):
    """The program prints the paths it wrote, and nothing on stderr, not even runpy's warning."""
    done = run("--genotype", "DARTS_V2", "--out", tmp_path / "figures", "--formats", "svg,png")
    assert (done.returncode, done.stderr) == (0, "")
    printed = [Path(line) for line in done.stdout.splitlines()]
    assert sorted(printed) == sorted((tmp_path / "figures").iterdir())
    assert len(printed) == 4


def test_run_directory_text_and_file_are_read(tmp_path):
    """A run directory, its genotype.json and the text form all give the same picture."""
    genotype = load_genotype("DARTS_V2")
    (tmp_path / "genotype.json").write_text(genotype.to_json())
    pictures = set()
    for index, given in enumerate((".", "genotype.json", genotype.to_text(), genotype.to_json())):
        out = tmp_path / f"out{index}"
        done = run("--genotype", given, "--out", out, "--formats=svg", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        pictures.add((out / "cell_normal.svg").read_bytes())
    assert len(pictures) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "GENOTYPE is missing"),
        (("--genotype", "DARTS_V9", "--out", "{out}"), "did you mean 'DARTS_V2'"),
        (
            ("--genotype", "DARTS_V2", "--out", "{out}", "--formats", "gif"),
            "'png' or 'svg' or 'pdf', found ['gif']",
        ),
        (("--genotype", "DARTS_V2", "--out", "{out}", "--formats", "[]"), "at least one of png"),
        (("--genotype", "DARTS_V2", "--out", "{file}"), "cannot be written"),
        (("--genotype", "DARTS_V2", "--out", "{file}/figures"), "cannot be written"),
        (("--genotype", "DARTS_V2", "--output", "{out}"), "unknown flag '--output'"),
        (("--genotype", "{file}", "--out", "{out}"), "not a whole JSON document"),
        (
            (
                "--genotype",
                "Genotype(normal=[[('zap', 0)]], normal_concat=[2], "
                "reduce=[[('zap', 0)]], reduce_concat=[2])",
                "--out",
                "{out}",
            ),
            "unknown primitive 'zap'",
        ),
    ],
)
def test_error_is_one_line_and_exit_code_2(arguments, said, tmp_path):
    """An error of the user is one line on stderr, exit code 2, and no file."""
    file = tmp_path / "file"
    file.write_text("{")
    done = run(*(part.format(out=tmp_path / "out", file=file) for part in arguments))
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("nas draw: error: ")
    assert said in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
