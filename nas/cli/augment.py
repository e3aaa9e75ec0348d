"""The training program, from the command line to its settings (no torch until they are right)."""

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from nas.cli.settings import complete
from nas.config import AugmentConfig, read_arguments
from nas.files import file_name
from nas.program import run_program

_DESCRIPTION = (
    "Train a network from scratch: the cells of a genotype, stacked as in DARTS, a network of a "
    "chain, or one by name (--list_models prints the names and exits). The result is the accuracy "
    "on the test images after the last epoch. --evaluate CHECKPOINT only measures."
)


def main(argv: Sequence[str] | None = None, prog: str = "augment.py") -> int:
    """Run the program.

    Args:
        argv: The arguments; None takes those of the process.
        prog: Its name, for messages.

    Returns:
        0; 2 for an error that the user can fix; 130 or 143 if stopped by SIGINT or SIGTERM.
    """
    words = sys.argv[1:] if argv is None else argv
    names = [field.name for field in fields(AugmentConfig)]
    return run_program(prog, lambda: _augment(words, prog), names)


def _augment(argv: Sequence[str], prog: str) -> int:
    if "--list_models" in argv:
        from nas.models import list_models

        print("\n".join(list_models()))
        return 0
    given = read_arguments(AugmentConfig, prog, _DESCRIPTION, argv)
    if given.get("evaluate") is not None and not given.print_config:
        given.make()  # a wrong setting is reported before torch is imported
        from nas.cli.run_evaluate import run_evaluate

        return run_evaluate(given)
    config = complete(given, default_out)
    from nas.cli.run_augment import run_augment  # torch is imported here

    return run_augment(config)


def default_out(config: AugmentConfig) -> str:
    """Name the run directory of a run without --out."""
    name = config.genotype or config.model or config.network or "none"
    if "(" in name or "{" in name:
        name = "text"
    elif name.endswith(("genotype.json", "network.json")) and Path(name).parent.name:
        name = Path(name).parent.name
    else:
        name = Path(name).name
    return f"runs/augment-{file_name(name)}-{config.dataset}-seed{config.seed}"


if __name__ == "__main__":
    raise SystemExit(main())
