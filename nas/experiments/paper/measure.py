"""What this project has for a row of the paper: counts of the built network, and a finished run."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from nas.errors import ReportError
from nas.experiments.paper.tables import PaperRow
from nas.models import build_network
from nas.records import read_evaluation
from nas.runtime.complexity import count_madds, count_parameters
from nas.strict_yaml import is_file

IMAGE = (3, 224, 224)
NUM_CLASSES = 1000
NUM_VAL_IMAGES = 50_000


@dataclass(frozen=True)
class Measured:
    """Our figures for a row."""

    parameters: int
    madds: int
    """Multiply-adds of convolutions and linear layers, one image of 224 x 224."""
    top1: float | None
    """Percent of ImageNet's validation images after the last epoch; None where nothing was run."""


def measure(row: PaperRow, results: Path) -> Measured:
    """Build the network of a row, count it, and look for a result.

    Args:
        row: Of the paper.
        results: Folder of the runs; <row.experiment>/evaluation.json in it is read if it is there.

    Raises:
        ReportError: The result is damaged, or is not one of ImageNet's validation images.
    """
    counts = _counts(row.model, row.identity_ratio)
    return Measured(*counts, _top1(results / row.experiment / "evaluation.json"))


@cache
def _counts(model: str, identity_ratio: str | None) -> tuple[int, int]:
    """Return parameters and multiply-adds; several rows are of one network."""
    settings = {} if identity_ratio is None else {"identity_ratio": identity_ratio}
    with torch.device("meta"):
        net = build_network(model, num_classes=NUM_CLASSES, **settings)
    return count_parameters(net), count_madds(net, IMAGE)


def _top1(path: Path) -> float | None:
    if not is_file(path):
        return None
    evaluation = read_evaluation(path)
    num_images, num_classes = evaluation.num_images, len(evaluation.classes)
    if (num_images, num_classes) != (NUM_VAL_IMAGES, NUM_CLASSES):
        raise ReportError(
            f"{path}: is of {num_images} images in {num_classes} classes; a row needs the "
            f"{NUM_VAL_IMAGES} validation images of ImageNet in {NUM_CLASSES}; move it away"
        )
    return evaluation.top1


def differs(row: PaperRow, found: Measured) -> bool:
    """Whether parameters or multiply-adds do not round to what the paper prints."""
    return not (
        rounds_to(found.parameters / 1e6, row.parameters_m, _decimals(row.parameters_m))
        and rounds_to(found.madds / 1e6, row.madds_m, 0 if (row.madds_m or 0) < 100 else -1)
    )


def rounds_to(value: float, printed: float | None, decimals: int) -> bool:
    """Whether a value is the printed one at that many decimals; True where none is printed."""
    return printed is None or round(value, decimals) == round(printed, decimals)


def _decimals(printed: float | None) -> int:
    return len(str(printed).partition(".")[2])
