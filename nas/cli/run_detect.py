"""Training and measuring a detector, from the settings to what is printed."""

import logging

from nas.cli.tables import cost_table, detection_table
from nas.config import DetectConfig
from nas.detect.run import RESULT, DetectResult, train_detector
from nas.distributed.launch import read_launch
from nas.signals import Stopped

_LOGGER = logging.getLogger(__name__)


def run_train(config: DetectConfig) -> int:
    """Train and measure; returns the exit code."""
    is_first = read_launch().rank == 0
    try:
        result = train_detector(
            config, announce=print, on_cost=lambda cost: print(f"{cost_table(cost)}\n")
        )
    except Stopped as stopped:
        if is_first:
            _LOGGER.warning("%s", stopped)
        return stopped.exit_code
    if is_first:
        _finish(result)
    return 0


def _finish(result: DetectResult) -> None:
    table = detection_table(result.evaluation)
    print(f"\ntest, after the last iteration: {table}\n\n{result.path / RESULT}")
