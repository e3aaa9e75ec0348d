"""Tables that the programs print."""

from itertools import groupby

from nas.runtime.complexity import Cost, LayerCost
from nas.runtime.evaluation import Evaluation

MAX_CLASSES = 20
"""Up to so many classes are listed one by one."""


def cost_table(cost: Cost) -> str:
    """Write parameters and multiply-adds by part of the network and in total.

    A part is a child of the network, or an entry of a list of children such as `cells.3`;
    cost.json has every layer.
    """
    rows = [("part", "output", "parameters", "multiply-adds")]
    for part, group in groupby(cost.layers, key=lambda layer: _part_of(layer.name)):
        layers = list(group)
        rows.append(_row(part, layers))
    total = cost.num_parameters
    rows.append(("total", "", f"{total:,}", f"{cost.madds:,}"))
    if cost.num_parameters_with_auxiliary != total:
        with_head = cost.num_parameters_with_auxiliary
        rows.append(("with the auxiliary head", "", f"{with_head:,}", "(training only)"))
    return _aligned(rows)


def evaluation_table(found: Evaluation, class_names: tuple[str, ...]) -> str:
    """Write what a model does on a split, class by class where there are few."""
    lines = [
        f"{found.num_images} images: top-1 {found.top1:.2f} %, top-5 {found.top5:.2f} %, "
        f"loss {found.loss:.4f}"
    ]
    if len(class_names) <= MAX_CLASSES:
        rows = [
            (name, "-" if accuracy is None else f"{accuracy:.2f} %")
            for name, accuracy in zip(class_names, found.per_class_accuracy, strict=True)
        ]
        lines.append(_aligned([("class", "top-1"), *rows]))
    return "\n".join(lines)


def _part_of(name: str) -> str:
    first, *rest = name.split(".")
    return f"{first}.{rest[0]}" if rest and rest[0].isdigit() and len(rest) > 1 else first


def _row(part: str, layers: list[LayerCost]) -> tuple[str, str, str, str]:
    shapes = [layer.output_shape for layer in layers if layer.output_shape]
    return (
        part,
        " x ".join(map(str, shapes[-1])) if shapes else "-",
        f"{sum(layer.num_parameters for layer in layers):,}",
        f"{sum(layer.madds for layer in layers):,}",
    )


def _aligned(rows: list[tuple[str, ...]]) -> str:
    """Align the first column left and the others right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
