"""`nas experiment`: make the runs that an experiment still needs, and write its table."""

import logging
from collections.abc import Sequence
from pathlib import Path

from nas.cli.command import run_command
from nas.experiments.options import ExperimentSettings
from nas.experiments.parts import MINUTES, describe
from nas.experiments.run import plan_experiment, run_experiment

INCOMPLETE = 3
"""Exit code if runs are left."""
_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None, prog: str = "nas experiment") -> int:
    """Run the command.

    Returns:
        0 if every run is finished; 3 if some are left (out of time, stopped or failed); 2 for an
        error that the user can fix.
    """
    positional = {"folder": "FOLDER"}
    return run_command(ExperimentSettings, _experiment, prog=prog, argv=argv, positional=positional)


def _experiment(settings: ExperimentSettings) -> int:
    if settings.plan:
        runs = plan_experiment(Path(settings.folder))
        print(describe(runs, settings.max_minutes or MINUTES))
        return 0
    outcome = run_experiment(settings)
    print(f"\n{outcome.table}")
    for path in outcome.paths:
        print(path)
    if outcome.left:
        _log.warning("%d runs left: %s", len(outcome.left), ", ".join(outcome.left))
    return INCOMPLETE if outcome.left else 0
