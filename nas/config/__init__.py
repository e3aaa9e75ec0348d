"""Settings as frozen dataclasses, read from flags and YAML (no torch)."""

from nas.config.parsing import parse_settings, run_program

__all__ = ["parse_settings", "run_program"]
