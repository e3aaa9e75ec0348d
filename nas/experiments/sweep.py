"""Search in several spaces with several methods and seeds: `python -m nas.experiments.sweep`."""

import sys
from collections.abc import Sequence
from dataclasses import fields

from nas.config import parse_settings
from nas.experiments.options import SweepSettings
from nas.experiments.run import run_sweep
from nas.program import run_program

_PROG = "python -m nas.experiments.sweep"
_DESCRIPTION = (
    "Search in several spaces with several methods and seeds, on this machine or on Slurm. The "
    "same command again skips what is finished and resumes the rest."
)
INCOMPLETE = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: The arguments; None takes those of the process.

    Returns:
        0 when every search is finished, 3 when some are left, 2 for an error that the user can
        fix.
    """
    names = [field.name for field in fields(SweepSettings)]
    return run_program(_PROG, lambda: _main(argv), names)


def _main(argv: Sequence[str] | None) -> int:
    outcome = run_sweep(parse_settings(SweepSettings, _PROG, _DESCRIPTION, argv))
    for run in outcome.runs:
        print(f"{run.state():10}  {run.path}")
    left = outcome.left
    if left:
        print(f"{_PROG}: {len(left)} runs left: {', '.join(left)}", file=sys.stderr)
    return INCOMPLETE if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
