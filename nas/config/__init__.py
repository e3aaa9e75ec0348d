"""Settings as frozen dataclasses, read from flags and YAML (no torch)."""

from nas.config.augment import AugmentConfig
from nas.config.parsing import parse_settings, run_program
from nas.config.search import SearchConfig

__all__ = ["AugmentConfig", "SearchConfig", "parse_settings", "run_program"]
