"""Settings as frozen dataclasses, read from flags and YAML (no torch)."""

from nas.config.augment import AugmentConfig, resolved
from nas.config.compute import ComputeConfig, DeviceConfig
from nas.config.detect import DetectConfig, EvaluateDetectConfig, PredictConfig
from nas.config.evaluate import EvaluateConfig
from nas.config.parsing import Arguments, Layer, parse_settings, read_arguments
from nas.config.run import RunConfig
from nas.config.search import SearchConfig
from nas.config.settings_file import plain_settings, run_settings

__all__ = [
    "Arguments",
    "AugmentConfig",
    "ComputeConfig",
    "DetectConfig",
    "DeviceConfig",
    "EvaluateConfig",
    "EvaluateDetectConfig",
    "Layer",
    "PredictConfig",
    "RunConfig",
    "SearchConfig",
    "parse_settings",
    "plain_settings",
    "read_arguments",
    "resolved",
    "run_settings",
]
