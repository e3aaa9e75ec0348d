"""Tables that the programs print."""

from collections.abc import Sequence

from nas.detection_record import DetectionEvaluation
from nas.records import Cost, Evaluation, LayerCost

MAX_CLASSES = 20
"""Classes are listed one by one up to this number."""


def cost_table(cost: Cost) -> str:
    """Write parameters and multiply-adds by block of the network and in total.

    A block is a child of the network, or an entry of a list of children such as `cells.3`;
    cost.json has every layer.
    """
    rows = [("block", "output", "parameters", "multiply-adds"), *map(_row, cost.by_block())]
    total = cost.num_parameters
    rows.append(("total", "", f"{total:,}", f"{cost.madds:,}"))
    if cost.num_parameters_with_auxiliary != total:
        with_head = cost.num_parameters_with_auxiliary
        rows.append(("with the auxiliary head", "", f"{with_head:,}", "(training only)"))
    return _aligned(rows)


def evaluation_table(evaluation: Evaluation, class_names: tuple[str, ...]) -> str:
    """Write what a model does on a split, class by class where there are few."""
    lines = [
        f"{evaluation.num_images} images: top-1 {evaluation.top1:.2f} %, "
        f"top-5 {evaluation.top5:.2f} %, loss {evaluation.loss:.4f}"
    ]
    if len(class_names) <= MAX_CLASSES:
        rows = [
            (name, "-" if accuracy is None else f"{accuracy:.2f} %")
            for name, accuracy in zip(class_names, evaluation.per_class_accuracy, strict=True)
        ]
        lines.append(_aligned([("class", "top-1"), *rows]))
    return "\n".join(lines)


def detection_table(evaluation: DetectionEvaluation) -> str:
    """Write the average precisions of a detector, class by class."""
    rows = [("class", "objects", "AP (11 points)", "AP (area)", "AP (COCO)")]
    rows += [
        (name, str(num), *map(_percent, values))
        for name, num, *values in zip(
            evaluation.classes,
            evaluation.num_objects,
            evaluation.ap_11,
            evaluation.ap_area,
            evaluation.ap_coco,
            strict=True,
        )
    ]
    means: tuple[float | None, ...]
    means = (evaluation.map_11, evaluation.map_area, evaluation.map_coco)
    if not any(evaluation.num_objects):
        means = (None,) * 3  # there is nothing to find, so nothing was measured
    rows.append(("mean", str(sum(evaluation.num_objects)), *map(_percent, means)))
    return f"{evaluation.num_images} images\n{_aligned(rows)}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} %"


def _row(block: LayerCost) -> tuple[str, str, str, str]:
    shape = " x ".join(map(str, block.output_shape)) or "-"
    return block.name, shape, f"{block.num_parameters:,}", f"{block.madds:,}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Align the first column left and the others right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
