"""The training program, from its settings to the test accuracy and the pictures."""

import logging

from nas.cli.command import run_to_end
from nas.cli.tables import cost_table, evaluation_table
from nas.config import AugmentConfig
from nas.errors import ReportError
from nas.report.html import write_report
from nas.space import get_family
from nas.train.run import TrainResult, train

_LOGGER = logging.getLogger(__name__)


def run_augment(config: AugmentConfig) -> int:
    """Train and measure; returns the exit code."""
    return run_to_end(
        lambda: train(config, announce=print, on_cost=lambda cost: print(f"{cost_table(cost)}\n")),
        _finish,
    )


def _finish(result: TrainResult) -> None:
    table = evaluation_table(result.evaluation, result.evaluation.classes)
    print(f"\ntest, after the last epoch: {table}\n\n{result.path / 'evaluation.json'}")
    try:
        found = result.genotype or result.chain
        if found is not None:
            draw = get_family(found.family).load("draw")
            print(*draw(found, result.path), sep="\n")
        print(write_report(result.path))  # and curves.png
    except ReportError as error:  # a picture is not worth a training
        _LOGGER.warning("no picture: %s", error)
