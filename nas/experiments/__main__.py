"""Run what a claim still lacks and write its table: `python -m nas.experiments FOLDER`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nas.errors import ConfigError
from nas.experiments.experiment import read_claim
from nas.experiments.local import Executor
from nas.experiments.plan import plan
from nas.program import run_program

_PROG = "python -m nas.experiments"
INCOMPLETE = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: The arguments; None takes those of the process.

    Returns:
        0 when every run is finished, 3 when some are left (out of time, stopped or failed), 2 for
        what the user can mend.
    """
    return run_program(_PROG, lambda: _main(sys.argv[1:] if argv is None else argv))


def _main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description="Run the searches and retrains of a claim that are not finished, and write "
        "its table. What is finished is skipped; what was stopped is resumed.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", type=Path, help="holds claim.yaml and the settings it names")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time (default 1)")
    parser.add_argument("--max_minutes", type=float, help="stop in order after so long")
    parser.add_argument("--dry_run", action="store_true", help="list the runs and their state only")
    arguments = parser.parse_args(argv)
    if arguments.jobs < 1:
        raise ConfigError(f"--jobs: expected a whole number from 1, found {arguments.jobs}")
    if arguments.max_minutes is not None and not arguments.max_minutes > 0:
        raise ConfigError(
            f"--max_minutes: expected a number above 0, found {arguments.max_minutes}"
        )

    claim = read_claim(arguments.folder)
    runs = plan(claim)
    for run in runs:
        run.check()
    if arguments.dry_run:
        for run in runs:
            print(f"{run.state():10}  {run.program:7}  {run.name}")
        return 0
    executor = Executor(arguments.folder, arguments.jobs, arguments.max_minutes)
    executor.execute(runs)

    from nas.experiments.results import collect  # torch comes in here
    from nas.experiments.table import markdown, write_results

    rows = collect(claim, runs)
    print(f"\n{markdown(claim, runs, rows)}")
    for path in write_results(claim, runs, rows):
        print(path)
    left = [run.name for run in runs if run.state() != "finished"]
    if left:
        print(f"{_PROG}: {len(left)} runs left: {', '.join(left)}", file=sys.stderr)
    return INCOMPLETE if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
