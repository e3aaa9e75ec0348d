"""Print the paper's tables next to what this project has; `--table 3` prints one."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from nas.errors import ConfigError
from nas.experiments.paper.tables import ROWS, TITLES
from nas.program import run_program

_PROG = "python -m nas.experiments.paper"
_RESULTS = Path("runs/imagenet")


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; try --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables as Markdown.

    Args:
        argv: The arguments; None takes those of the process.

    Returns:
        0, or 2 after a mistake of the user.
    """
    return run_program(_PROG, lambda: _paper(sys.argv[1:] if argv is None else argv))


def _paper(argv: Sequence[str]) -> None:
    parser = _Parser(
        prog=_PROG,
        description="Print Tables 2 to 11 of the MobileNeXt paper next to what this project counts "
        "(parameters, multiply-adds) and, where a run has finished, what it reached.",
        allow_abbrev=False,
    )
    parser.add_argument("--table", type=int, choices=TITLES, help="print this one only")
    parser.add_argument(
        "--results",
        type=Path,
        default=_RESULTS,
        help=f"folder of the runs of experiments/imagenet/rows/ (default {_RESULTS})",
    )
    arguments = parser.parse_args(argv)

    from nas.experiments.paper.text import markdown  # torch comes in here

    wanted = [arguments.table] if arguments.table else [*TITLES]
    rows = [row for row in ROWS if row.table in wanted]
    print(markdown(rows, arguments.results), end="")


if __name__ == "__main__":
    raise SystemExit(main())
