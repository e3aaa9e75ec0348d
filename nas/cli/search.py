"""The search program, from the command line to its settings (no torch until they are right)."""

import sys
from collections.abc import Sequence
from dataclasses import fields

from nas.cli.settings import complete
from nas.config import SearchConfig, read_arguments
from nas.files import file_name
from nas.program import run_program

_DESCRIPTION = (
    "Search for cells by differentiable architecture search, or for a network of a chain. The "
    "result is genotype.json or network.json in the run directory, with pictures and a report."
)


def main(argv: Sequence[str] | None = None, prog: str = "search.py") -> int:
    """Run the program.

    Args:
        argv: The arguments; None takes those of the process.
        prog: Its name, for messages.

    Returns:
        0; 2 for an error that the user can fix; 130 or 143 if stopped by SIGINT or SIGTERM.
    """
    words = sys.argv[1:] if argv is None else argv

    def body() -> int:
        config = read_config(words, prog)
        if config.list_methods:
            from nas.operators import load_plugins
            from nas.search import format_registered

            load_plugins(config.plugins)
            print(format_registered())
            return 0
        from nas.cli.run_search import run_search  # torch is imported here

        return run_search(config)

    return run_program(prog, body, [field.name for field in fields(SearchConfig)])


def read_config(argv: Sequence[str], prog: str = "search.py") -> SearchConfig:
    """Return the settings, with `out` filled in; those of the run if it is to be resumed.

    Raises:
        ConfigError: A setting is wrong, or differs from that of the run to be resumed.
    """
    return complete(read_arguments(SearchConfig, prog, _DESCRIPTION, argv), _default_out)


def _default_out(config: SearchConfig) -> str:
    parts = [config.space, config.dataset, f"seed{config.seed}"]
    if config.method != "darts":
        parts.insert(1, config.method)
    return f"runs/{'-'.join(map(file_name, parts))}"


if __name__ == "__main__":
    raise SystemExit(main())
