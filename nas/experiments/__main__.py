"""Make the runs of an experiment and write its table: `python -m nas.experiments FOLDER`."""

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from nas.config import parse_settings
from nas.experiments.options import ExperimentSettings
from nas.experiments.run import plan_experiment, run_experiment
from nas.program import run_program

_PROG = "python -m nas.experiments"
_DESCRIPTION = (
    "Run the searches and trainings of an experiment that are not finished, and write its table. "
    "What is finished is skipped; what was stopped is resumed."
)
INCOMPLETE = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: The arguments; None takes those of the process.

    Returns:
        0 when every run is finished, 3 when some are left (out of time, stopped or failed), 2 for
        an error that the user can fix.
    """
    names = [field.name for field in fields(ExperimentSettings)]
    return run_program(_PROG, lambda: _main(argv), names)


def _main(argv: Sequence[str] | None) -> int:
    settings = parse_settings(ExperimentSettings, _PROG, _DESCRIPTION, argv)
    if settings.dry_run:
        for run in plan_experiment(Path(settings.folder)):
            print(f"{run.state():10}  {run.program:7}  {run.name}")
        return 0
    outcome = run_experiment(settings)
    print(f"\n{outcome.table}")
    for path in outcome.paths:
        print(path)
    left = outcome.left
    if left:
        print(f"{_PROG}: {len(left)} runs left: {', '.join(left)}", file=sys.stderr)
    return INCOMPLETE if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
