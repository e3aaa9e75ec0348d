"""The `nas` command: one door to all programs."""

import importlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nas.cli.main import COMMANDS, main

REPO = Path(__file__).parents[3]


def run(*arguments, cwd=REPO):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "nas", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(REPO), "PATH": os.environ["PATH"], "COLUMNS": "200"},
    )


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"], ["help"]])
def test_the_help_lists_every_command(capsys, argv):
    """Each with one plain sentence."""
    assert main(argv) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, command in COMMANDS.items():
        (line,) = [line for line in lines if line.startswith(f"  {name} ")]
        assert line.split(maxsplit=1)[1] == command.summary
        assert re.fullmatch(r"[A-Z][^.]*\.", command.summary)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("serch", "did you mean 'search'"),
        ("trian", "did you mean 'train'"),
        ("zzzzz", "known: search, train"),
        ("--epochs", "unknown command '--epochs'"),
        ("", "unknown command ''"),
    ],
)
def test_an_unknown_command_comes_with_close_matches(capsys, word, message):
    """One line on stderr and exit code 2."""
    assert main([word]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("nas: error: unknown command") and message in err


def test_the_version(capsys):
    """`nas --version` prints it."""
    assert main(["--version"]) == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_at_once_and_without_torch(name):
    """`nas NAME --help` and a wrong flag answer without torch, and so in well under a second."""
    code = (
        "import sys\nfrom nas.cli.main import main\n"
        "codes = []\n"
        "for flag in ('--help', '--no_such_flag'):\n"
        "    try:\n        codes.append(main([sys.argv[1], flag]))\n"
        "    except SystemExit as stop:\n        codes.append(stop.code or 0)\n"
        "heavy = {'torch', 'torchvision', 'matplotlib', 'onnx', 'onnxruntime'}\n"
        "print(codes, sorted(heavy & sys.modules.keys()))"
    )
    start_s = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, name],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(REPO), "PATH": os.environ["PATH"]},
    )
    assert done.stdout.splitlines()[-1] == "[0, 2] []", done.stderr
    assert done.stdout.startswith(f"usage: nas {name} ")
    assert re.fullmatch(rf"nas {name}: error: unknown flag '--no_such_flag'[^\n]*\n", done.stderr)
    assert time.perf_counter() - start_s < 10  # torch alone takes seconds on a busy machine


def test_evaluate_is_train_that_only_measures():
    """Its settings are the ones that may be given with --evaluate."""
    done = run("evaluate")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nas evaluate: error: CHECKPOINT is missing; see --help\n"
    done = run("evaluate", "nowhere", "--epochs=3")
    assert done.returncode == 2 and "unknown flag '--epochs'" in done.stderr


@pytest.mark.parametrize(
    ("module", "argv"),
    [
        ("nas.genotype", ["--list"]),
        ("nas.report", ["--help"]),
        ("nas.experiments", ["--help"]),
        ("nas.claims", ["--help"]),
        ("nas.experiments.paper", ["--help"]),
        ("nas.deploy", ["export", "--help"]),
    ],
)
def test_older_names_still_work(module, argv):
    """`python -m nas.report` and the others are the same programs."""
    done = subprocess.run(
        [sys.executable, "-m", module, *argv], cwd=REPO, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout and not done.stderr


def test_every_command_has_a_main_of_its_own():
    """With the arguments of `nas.cli.main`."""
    for command in COMMANDS.values():
        module = importlib.import_module(f"nas.cli.{command.module}")
        assert module.main.__module__ == module.__name__ and module.__doc__
