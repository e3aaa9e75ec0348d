"""Settings as frozen dataclasses, read from flags and YAML (no torch)."""

from nas.config.augment import AugmentConfig, resolved
from nas.config.compute import ComputeConfig
from nas.config.parsing import parse_settings
from nas.config.run import RunConfig
from nas.config.search import SearchConfig

__all__ = [
    "AugmentConfig",
    "ComputeConfig",
    "RunConfig",
    "SearchConfig",
    "parse_settings",
    "resolved",
]
