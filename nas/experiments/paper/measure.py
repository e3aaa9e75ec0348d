"""What this project has for a row of the paper: counts of the built network, and finished runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import torch

from nas.detection_record import read_detection
from nas.errors import ReportError
from nas.experiments.paper.tables import PaperRow
from nas.models import build_network
from nas.models.detection import RATIOS, SSDLite, build_detector
from nas.operators import get_operator
from nas.records import Cost, read_evaluation
from nas.runtime.complexity import measure_cost
from nas.space import load_cells
from nas.strict_yaml import is_file

IMAGE = (3, 224, 224)
NUM_CLASSES = 1000
NUM_VAL_IMAGES = 50_000
NUM_VOC_IMAGES = 4_952
DETECTOR_IMAGE = (3, 320, 320)
COCO_RATIOS = (2,)


@dataclass(frozen=True)
class Measured:
    """Our figures for a row; None where there is none."""

    parameters: int | None = None
    madds: int | None = None
    """Multiply-adds of convolutions and linear layers, for one image of 224 x 224."""
    top1: float | None = None
    """Percent of ImageNet's validation images after the last epoch."""
    operators: int | None = None
    """Operators of the search space, without `none`."""
    output: str | None = None
    """Height x width x channels of a stage's output."""
    blocks: int | None = None
    """Blocks of a stage."""
    billions: int | None = None
    """Multiply-adds of a detector, for one image of 320 x 320."""
    coco: str | None = None
    """Parameters and multiply-adds of a detector in the authors' configuration for COCO."""
    map: float | None = None
    """Mean average precision by the rule of VOC 2007, percent of its test images."""

    def shown(self) -> dict[str, str]:
        """Return the figures that exist as text, by kind (see `tables.KINDS`)."""
        figures = {
            "parameters": None if self.parameters is None else f"{self.parameters / 1e6:.3f}",
            "madds": None if self.madds is None else f"{self.madds / 1e6:.1f}",
            "top1": None if self.top1 is None else f"{self.top1:.2f}",
            "operators": None if self.operators is None else str(self.operators),
            "output": self.output,
            "blocks": None if self.blocks is None else str(self.blocks),
            "billions": None if self.billions is None else f"{self.billions / 1e9:.3f}",
            "coco": self.coco,
            "map": None if self.map is None else f"{self.map:.2f}",
        }
        return {kind: text for kind, text in figures.items() if text is not None}


def measure(row: PaperRow, results: Path) -> Measured:
    """Build the network of a row, count it, and look for a result.

    Args:
        row: A row of the paper.
        results: Folder with the runs of experiments/imagenet/rows/. The file
            <row.experiment>/evaluation.json in it is read if it exists.

    Raises:
        ReportError: The result is damaged, or was not measured on ImageNet's validation images.
    """
    if not row.ours:
        return Measured()
    if row.table == 8:
        return _detector(row, results)
    if not row.has_network:
        primitives = load_cells(row.ours).primitives
        return Measured(operators=sum(not get_operator(name).is_zero for name in primitives))
    cost = _cost(row.model, tuple(row.settings.items()))
    if row.table == 2:
        return _stages(cost).get(row.cells[0], Measured())
    is_quantized = "INT8/INT8" in row.cells
    top1 = None if is_quantized else _top1(results / row.experiment / "evaluation.json")
    return Measured(cost.num_parameters, cost.madds, top1)


@cache
def _cost(model: str, settings: tuple[tuple[str, str], ...]) -> Cost:
    """Count a network. It is built without weights, once for all rows that it appears in."""
    with torch.device("meta"):
        net = build_network(model, num_classes=NUM_CLASSES, **dict(settings))
    return measure_cost(net, IMAGE)


def _detector(row: PaperRow, results: Path) -> Measured:
    """Count a detector with the classes of VOC, and with those and the last priors for COCO."""
    voc, coco = (
        measure_cost(
            _on_meta(row.model, num_classes, ratios).without_postprocessing(), DETECTOR_IMAGE
        )
        for num_classes, ratios in ((20, RATIOS), (80, COCO_RATIOS))
    )
    return Measured(
        parameters=voc.num_parameters,
        billions=voc.madds,
        coco=f"{coco.num_parameters / 1e6:.3f} M, {coco.madds / 1e9:.3f} B",
        map=_map(results / row.model / "detection.json"),
    )


def _on_meta(model: str, num_classes: int, last_ratios: tuple[int, ...]) -> SSDLite:
    with torch.device("meta"):
        return build_detector(model, num_classes, last_ratios=last_ratios)


def _map(path: Path) -> float | None:
    if not is_file(path):
        return None
    evaluation = read_detection(path)
    num_images, num_classes = evaluation.num_images, len(evaluation.classes)
    if (num_images, num_classes) != (NUM_VOC_IMAGES, 20):
        raise ReportError(
            f"{path}: was measured on {num_images} images in {num_classes} classes; a row needs "
            f"the {NUM_VOC_IMAGES} test images of VOC 2007 in 20; move it away"
        )
    return evaluation.map_11


def _stages(cost: Cost) -> Mapping[str, Measured]:
    """Return the figures of Table 2 by the number of its row; pooling has none."""
    *features, classifier = cost.by_block()
    stages = {}
    for number, (shape, group) in enumerate(groupby(features, lambda b: b.output_shape), start=1):
        blocks = list(group)
        channels, height, width = shape
        stages[str(number)] = Measured(
            parameters=sum(block.num_parameters for block in blocks),
            madds=sum(block.madds for block in blocks),
            output=f"{height} x {width} x {channels}",
            blocks=len(blocks),
        )
    last = str(len(stages) + 2)
    stages[last] = Measured(classifier.num_parameters, classifier.madds, output=str(NUM_CLASSES))
    return stages


def _top1(path: Path) -> float | None:
    if not is_file(path):
        return None
    evaluation = read_evaluation(path)
    num_images, num_classes = evaluation.num_images, len(evaluation.classes)
    if (num_images, num_classes) != (NUM_VAL_IMAGES, NUM_CLASSES):
        raise ReportError(
            f"{path}: was measured on {num_images} images in {num_classes} classes; a row needs "
            f"the {NUM_VAL_IMAGES} validation images of ImageNet in {NUM_CLASSES}; move it away"
        )
    return evaluation.top1


def differs(row: PaperRow, measured: Measured) -> bool:
    """Whether parameters or multiply-adds do not round to what the paper prints."""
    return not (
        rounds_to(measured.parameters, row.printed("parameters"))
        and rounds_to(measured.billions, row.printed("billions"), unit=1e9)
        and rounds_to(measured.madds, row.printed("madds"), significant=2)
    )


def rounds_to(
    count: int | None, printed: str | None, significant: int | None = None, unit: float = 1e6
) -> bool:
    """Whether a count rounds to a printed figure; True where one of them is missing.

    Args:
        count: What was counted.
        printed: In units, as text, so that "2.0" has one decimal.
        significant: Digits that are printed, where zeros at the end do not count as digits.
        unit: Of the printed figure; a million by default.
    """
    if count is None or printed is None:
        return True
    whole, _, decimals = printed.partition(".")
    places = len(decimals) if significant is None else significant - len(whole)
    return round(count / unit, places) == float(printed)
