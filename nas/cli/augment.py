"""The retrain program, from the command line to its settings (no torch until they are right)."""

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from nas.cli.settings import read_settings
from nas.config import AugmentConfig
from nas.files import file_name
from nas.program import run_program

PROG = "augment.py"
DESCRIPTION = (
    "Train a network from scratch: the cells of a genotype, stacked as DARTS does, or a network by "
    "name (--list_models). Ends with the accuracy on the test images after the last epoch. "
    "--evaluate CHECKPOINT only measures."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: The arguments; None takes those of the process.

    Returns:
        0; 2 for what the user can mend; 130 or 143 when stopped by SIGINT or SIGTERM.
    """
    names = [field.name for field in fields(AugmentConfig)]
    return run_program(PROG, lambda: _augment(sys.argv[1:] if argv is None else argv), names)


def _augment(argv: Sequence[str]) -> int:
    config = read_settings(AugmentConfig, PROG, DESCRIPTION, argv, default_out)
    if config.list_models:
        from nas.models import list_models

        print("\n".join(list_models()))
        return 0
    if config.evaluate is not None:
        from nas.cli.run_evaluate import run_evaluate

        return run_evaluate(argv, PROG, config.evaluate)
    from nas.cli.run_augment import run_augment  # torch comes in here

    return run_augment(config)


def default_out(config: AugmentConfig) -> str:
    """Name the run directory of a run without --out."""
    name = config.genotype or config.model or "none"
    if "(" in name or "{" in name:
        name = "text"
    elif name.endswith("genotype.json") and Path(name).parent.name:
        name = Path(name).parent.name
    else:
        name = Path(name).name
    return f"runs/augment-{file_name(name)}-{config.dataset}-seed{config.seed}"


if __name__ == "__main__":
    raise SystemExit(main())
