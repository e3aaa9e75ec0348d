"""Make the reports of runs anew, and compare them.

    python -m nas.report RUN [RUN ...] [--out comparison.html] [--gif]

A report goes into its run directory, and so does the animation of the cells that `--gif` asks
for; a comparison of several runs goes to `--out`.
"""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from nas.errors import ConfigError, ReportError
from nas.program import run_program
from nas.report.cells.animation import write_gif
from nas.report.comparison import write_comparison
from nas.report.html import write_report
from nas.report.run import read_run

_PROG = "python -m nas.report"
_DEFAULT_OUT = "comparison.html"


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; try --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the reports that the command line asks for, and print the paths.

    Args:
        argv: The arguments; None takes those of the process.

    Returns:
        0, or 2 for what the user can mend.
    """
    return run_program(_PROG, lambda: _report(argv))


def _report(argv: Sequence[str] | None) -> None:
    parser = _Parser(
        prog=_PROG,
        description="Write report.html and curves.png of each run, and compare several runs.",
        allow_abbrev=False,
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="A run directory.")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help=f"Where the comparison of several runs goes; {_DEFAULT_OUT} by default.",
    )
    parser.add_argument(
        "--gif", action="store_true", help="Write cells.gif too: the cells over the epochs."
    )
    arguments = parser.parse_args(argv)
    if arguments.out is not None and len(arguments.runs) == 1:
        raise ConfigError(
            "--out has an effect only with several runs; name another, or leave it out"
        )
    if arguments.out == "":
        raise ConfigError("--out: expected the path of a file, found ''")
    runs = [read_run(path) for path in arguments.runs]
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise ReportError("a run directory is named twice; name each once")
    for path in arguments.runs:
        print(write_report(path))
        if arguments.gif:
            print(write_gif(path))
    if len(arguments.runs) > 1:
        print(write_comparison(arguments.runs, arguments.out or _DEFAULT_OUT))


if __name__ == "__main__":
    raise SystemExit(main())
