"""Settings as frozen dataclasses, read from flags and YAML (no torch)."""

from nas.config.parsing import parse_settings, run_program
from nas.config.search import SearchConfig

__all__ = ["SearchConfig", "parse_settings", "run_program"]
