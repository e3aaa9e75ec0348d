"""Training and measuring a detector, from the settings to what is printed."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

from nas.cli.command import run_to_end
from nas.cli.tables import cost_table, detection_table
from nas.config import DetectConfig, EvaluateDetectConfig
from nas.data.voc import VocSet
from nas.detect.predict import evaluate_detector, write_grids
from nas.detect.run import RESULT, DetectResult, train_detector
from nas.distributed.launch import read_launch
from nas.errors import ReportError
from nas.models.detection import Detections
from nas.report.html import write_report
from nas.runtime.run_directory import RunDirectory

_LOGGER = logging.getLogger(__name__)


def run_train(config: DetectConfig) -> int:
    """Train and measure; returns the exit code."""
    return run_to_end(
        lambda: train_detector(
            config, announce=print, on_cost=lambda cost: print(f"{cost_table(cost)}\n")
        ),
        _finish,
    )


def run_evaluate(config: EvaluateDetectConfig) -> None:
    """Measure a checkpoint and print the result; `out` names a new folder for it."""
    is_first = read_launch().rank == 0
    if config.out is not None:
        RunDirectory.check_free(Path(config.out), can_resume=False)
    evaluation, images, detections = evaluate_detector(config)
    if not is_first:
        return
    print(f"{config.evaluate}, {config.test_split}: {detection_table(evaluation)}")
    if config.out is not None:
        record = dataclasses.replace(evaluation, checkpoint=config.evaluate)
        folder = RunDirectory.plain(Path(config.out))
        print(folder.write(RESULT, record.to_json()))
        _print_grids(folder.path, images, detections)


def _print_grids(path: Path, images: VocSet, detections: Sequence[Detections]) -> None:
    for picture in write_grids(path, images, detections):
        print(picture)


def _finish(result: DetectResult) -> None:
    table = detection_table(result.evaluation)
    print(f"\ntest, after the last iteration: {table}\n\n{result.path / RESULT}")
    try:
        _print_grids(result.path, result.images, result.detections)
        print(write_report(result.path))
    except ReportError as error:  # a picture is not worth a training
        _LOGGER.warning("no picture: %s", error)
