"""The search program, from the command line to its settings (no torch until they are right)."""

import sys
from collections.abc import Sequence
from dataclasses import fields

from nas.cli.settings import read_settings
from nas.config import SearchConfig
from nas.files import file_name
from nas.program import run_program

_DESCRIPTION = (
    "Search for a cell by differentiable architecture search (DARTS). Ends with genotype.json "
    "and the diagrams of the two cells in the run directory."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: The arguments; None takes those of the process.

    Returns:
        0; 2 for what the user can mend; 130 or 143 when stopped by SIGINT or SIGTERM.
    """
    names = [field.name for field in fields(SearchConfig)]
    return run_program("search.py", lambda: _search(argv), names)


def _search(argv: Sequence[str] | None) -> int:
    config = read_config(sys.argv[1:] if argv is None else argv)
    from nas.cli.run_search import run_search  # torch comes in here

    return run_search(config)


def read_config(argv: Sequence[str]) -> SearchConfig:
    """Return the settings, with `out` filled in; those of the run when it is to be resumed.

    Raises:
        ConfigError: A setting is wrong, or differs from that of the run to be resumed.
    """
    return read_settings(SearchConfig, "search.py", _DESCRIPTION, argv, _default_out)


def _default_out(config: SearchConfig) -> str:
    return f"runs/{file_name(config.space)}-{config.dataset}-seed{config.seed}"


if __name__ == "__main__":
    raise SystemExit(main())
