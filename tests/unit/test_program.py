"""What every program does around its work."""

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas.errors import ConfigError, SearchSpaceError
from nas.program import as_flags, run_program

REPO = Path(__file__).resolve().parents[2]
NAMES = ["batch_size", "data", "xi", "out", "image_size", "learning_rate", "learning_rate_min"]


def test_a_message_of_several_lines_becomes_one(capsys):
    """Line breaks inside a message are joined."""

    def body():
        raise SearchSpaceError("a:\n  b\tc\r\n")

    assert run_program("prog", body) == 2
    assert capsys.readouterr().err == "prog: error: a: b c\n"


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (130, 130)])
def test_the_exit_code_is_passed_on(returned, code):
    """A body that returns nothing has succeeded."""
    assert run_program("prog", lambda: returned) == code


def test_a_fault_of_ours_keeps_its_traceback():
    """An exception that the user did not cause is not hidden, and the streams are restored."""

    def body():
        raise KeyError("ours")

    before = sys.stdout, sys.stderr
    with pytest.raises(KeyError):
        run_program("prog", body)
    assert (sys.stdout, sys.stderr) == before


def test_an_interrupt_is_one_line(capsys):
    """Ctrl-C outside of the loops ends without a traceback."""

    def body():
        raise KeyboardInterrupt

    assert run_program("prog", body) == 130
    assert capsys.readouterr().err == "prog: interrupted\n"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("batch_size: found 3", "--batch_size: found 3"),
        ("xi: found 3", "--xi: found 3"),
        ("`xi` needs it", "--xi needs it"),
        ("lower batch_size or set `xi` to 1", "lower --batch_size or set --xi to 1"),
        ("(batch_size, image_size)", "(--batch_size, --image_size)"),
        (
            "learning_rate_min: above learning_rate 1",
            "--learning_rate_min: above --learning_rate 1",
        ),
        ("--batch_size: found 3", "--batch_size: found 3"),
        ("data are missing", "data are missing"),
        ("the folder data: missing", "the folder data: missing"),
        ("a.yaml: batch_size: found 3", "a.yaml: batch_size: found 3"),
        ("found 'batch_size'", "found 'batch_size'"),
        ("metadata.image_size is 3", "metadata.image_size is 3"),
        ("mobilenext,image_size=3", "mobilenext,image_size=3"),
        ("`dot` is not installed", "`dot` is not installed"),
        ("batch_sizes: found", "batch_sizes: found"),
        ("a.yaml: unknown key 'x'; known: out, image_size", None),
    ],
)
def test_parameters_are_shown_as_flags(message, shown):
    """The names of settings get their dashes; nothing else does."""
    assert as_flags(message, NAMES) == (shown or message)
    assert as_flags(message, ()) == message


def test_errors_and_warnings_of_the_library_show_flags(capsys):
    """An error and a logged warning name the flag, on stderr, behind the program's name."""

    def body():
        logging.getLogger("nas.some.module").warning("batch_size: %d is small", 2)
        logging.getLogger("nas").info("for information")
        raise ConfigError("xi: found 3")

    assert run_program("prog", body, NAMES) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "prog: --batch_size: 2 is small",
        "prog: for information",
        "prog: error: --xi: found 3",
    ]
    assert logging.getLogger("nas").handlers == []


def test_a_program_within_a_program_logs_once(capsys):
    """A sweep runs a search in its own process: one line for one warning."""

    def inner():
        logging.getLogger("nas").warning("once")

    run_program("outer", lambda: run_program("inner", inner))
    assert capsys.readouterr().err == "outer: once\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_what_the_terminal_cannot_print_is_escaped(monkeypatch, encoding):
    """A class name in another script does not end a run."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    assert run_program("prog", lambda: print("猫 \udcff é")) == 0
    expected = "猫 \udcff é\n".encode(encoding, "backslashreplace")
    assert raw.getvalue() == expected


PIPE = """
import sys
from nas.program import run_program
def body():
    for _ in range(20000):
        print("x" * 80)
    print("done", file=sys.stderr)
sys.exit(run_program("prog", body))
"""


@pytest.mark.parametrize("close", ["| true", "| head -1", ">&-", "> /dev/full"])
def test_a_closed_output_does_not_end_the_work(close):
    """The reader has gone, the stream is closed or the disk is full: the work is still done."""
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -c "$0" {close}; echo ${{PIPESTATUS[0]}}', PIPE],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )
    assert done.stderr == "done\n"
    assert done.stdout.split()[-1] == "0"


def test_a_backend_of_a_notebook_is_not_needed():
    """Programs draw to files, so the MPLBACKEND that a notebook sets is not looked for."""
    code = (
        "from nas.program import run_program\n"
        "def body():\n"
        "    import matplotlib\n"
        "    print(matplotlib.get_backend())\n"
        "raise SystemExit(run_program('prog', body))"
    )
    backend = "module://no_such_package.backend"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPO), "MPLBACKEND": backend},
    )
    assert (done.returncode, done.stdout) == (0, "agg\n")
