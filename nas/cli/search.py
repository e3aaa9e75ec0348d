"""The search program, from the command line to its settings (no torch until they are right)."""

import dataclasses
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from nas.config import SearchConfig, parse_settings, run_program
from nas.errors import ConfigError
from nas.strict_yaml import is_file

_DESCRIPTION = (
    "Search for a cell by differentiable architecture search (DARTS). Ends with genotype.json "
    "and the diagrams of the two cells in the run directory."
)
_MAY_CHANGE = {"out", "resume"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: The arguments; None takes those of the process.

    Returns:
        0; 2 for what the user can mend; 130 or 143 when stopped by SIGINT or SIGTERM.
    """
    return run_program("search.py", lambda: _search(argv))


def _search(argv: Sequence[str] | None) -> int:
    config = read_config(sys.argv[1:] if argv is None else argv)
    from nas.cli.run_search import run_search  # torch comes in here

    return run_search(config)


def read_config(argv: Sequence[str]) -> SearchConfig:
    """Return the settings, with `out` filled in; those of the run when it is to be resumed.

    Raises:
        ConfigError: A setting is wrong, or differs from that of the run to be resumed.
    """
    config = parse_settings(SearchConfig, "search.py", _DESCRIPTION, argv)
    out = config.out or _default_out(config)
    saved_path = Path(out) / "config.yaml"
    if config.resume:
        if not is_file(saved_path):
            raise ConfigError(
                f"--resume: {out} holds no run (no config.yaml); start one without --resume, or "
                "name the run's directory with --out"
            )
        saved = parse_settings(SearchConfig, "search.py", _DESCRIPTION, [], base=saved_path)
        config = parse_settings(SearchConfig, "search.py", _DESCRIPTION, argv, base=saved_path)
        _check_unchanged(saved, config, out)
    return dataclasses.replace(config, out=out)


def _check_unchanged(saved: SearchConfig, config: SearchConfig, out: str) -> None:
    for field in dataclasses.fields(SearchConfig):
        before, now = getattr(saved, field.name), getattr(config, field.name)
        may_change = field.name in _MAY_CHANGE or (field.name == "epochs" and now > before)
        if now != before and not may_change:
            raise ConfigError(
                f"--resume: the run in {out} has {field.name} {before!r}, found {now!r}; leave "
                f"--{field.name} out to continue it (only --epochs may be raised), or start "
                "another run in another --out"
            )


def _default_out(config: SearchConfig) -> str:
    space = re.sub(r"[^\w.+-]+", "_", config.space)
    return f"runs/{space}-{config.dataset}-seed{config.seed}"
