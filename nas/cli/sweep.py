"""`nas sweep`: search in many spaces with many methods and seeds, here or on a cluster."""

import logging
from collections.abc import Sequence

from nas.cli.command import run_command
from nas.experiments.options import SweepSettings
from nas.experiments.run import run_sweep

INCOMPLETE = 3
"""Exit code if searches are left."""
_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None, prog: str = "nas sweep") -> int:
    """Run the command.

    Returns:
        0 if every search is finished; 3 if some are left; 2 for an error that the user can fix.
    """
    return run_command(SweepSettings, _sweep, prog=prog, argv=argv)


def _sweep(settings: SweepSettings) -> int:
    outcome = run_sweep(settings)
    for run in outcome.runs:
        print(f"{run.state():10}  {run.path}")
    if outcome.left:
        _log.warning("%d runs left: %s", len(outcome.left), ", ".join(outcome.left))
    return INCOMPLETE if outcome.left else 0
