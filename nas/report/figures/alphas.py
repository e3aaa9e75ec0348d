"""Architecture weights as pictures: their evolution on each edge, and one state as a heat map.

Shapes: E edges, P primitives, T epochs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from nas.errors import ReportError
from nas.primitives import BUILT_IN
from nas.report.cells.labels import printable
from nas.report.figures.style import style_of, title_of
from nas.space import Space

_DASHES = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 4)))
"""For the primitives of one family, in their order; a seventh would begin again."""


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits (..., P) into weights: w_p = exp(a_p) / sum_q exp(a_q).

    NaN marks a pair that the space does not have: it gets no weight and stays NaN.
    """
    # Subtracting the largest logit changes no weight and keeps exp finite.
    raised = np.exp(logits - np.nanmax(logits, axis=-1, keepdims=True))
    return raised / np.nansum(raised, axis=-1, keepdims=True)


def weights_over_epochs(
    records: Sequence[Mapping[str, Any]], space: Space, group: str
) -> np.ndarray:
    """Return the architecture weights of a group of edges, (T, E, P), NaN for missing pairs.

    They are the `arch_weights` of the records. Records of older versions have none; for these,
    the weights are the softmax of the alphas, which was the only method then.

    Raises:
        ReportError: The weights of an epoch do not fit the space.
    """
    mask = np.array(space.mask(group))
    tables = []
    for record in records:
        key = "arch_weights" if "arch_weights" in record else "alphas"
        try:
            table = np.array(record[key][group], dtype=float)
        except ValueError:  # rows of different lengths
            table = np.empty(0)
        if table.shape != mask.shape or np.any(~np.isfinite(table) & mask):
            raise ReportError(
                f"metrics of epoch {record['epoch']}: {key}.{group}: expected {mask.shape[0]} "
                f"edges of {mask.shape[1]} primitives, null only where the space {space.name!r} "
                "does not have the pair; does space.yaml belong to this run?"
            )
        table = np.where(mask, table, np.nan)
        tables.append(softmax(table) if key == "alphas" else table)
    return np.stack(tables)


def alphas_figure(records: Sequence[Mapping[str, Any]], space: Space) -> Figure:
    """Draw the architecture weights over the epochs, with a panel for each row of each group.

    Of cells a row of panels holds the edges into one node, a column those out of one node; of a
    chain a row of panels is a stage.

    Args:
        records: The metrics of the search.
        space: The space of the search.

    Returns:
        The figure, with the normal cell above the reduction cell; the label of each axes is
        "normal 0->2" and so on, and the label of each line is a primitive. Where a method weights
        whole edges, the titles have the last of these weights.

    Raises:
        ReportError: The alphas of an epoch do not fit the space.
    """
    groups = list(records[0]["alphas"])
    places = {group: space.panel_places(group) for group in groups}
    num_rows = {group: 1 + max(row for row, _ in places[group]) for group in groups}
    num_columns = max(4, *(1 + column for of_group in places.values() for _, column in of_group))
    # The panels of cells form a triangle, whose empty corner has the legend; others have it above.
    has_corner = {
        group: num_columns - sum(row == 0 for row, _ in places[group]) >= 2 for group in groups
    }
    tops = [0.75 if has_corner[group] else 1.15 for group in groups]  # in inches
    heights = [1.7 * num_rows[group] + 0.45 + top for group, top in zip(groups, tops, strict=True)]
    figure = Figure(figsize=(2.3 * num_columns + 0.5, sum(heights)), dpi=110)
    weights = {group: weights_over_epochs(records, space, group) for group in groups}
    epochs = [record["epoch"] for record in records]
    subfigures = figure.subfigures(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
    edge_weights = records[-1].get("edge_weights", {})
    for subfigure, group, height, top in zip(subfigures, groups, heights, tops, strict=True):
        columns = space.columns(group)
        looks = _line_looks(columns)
        subfigure.suptitle(title_of(group, groups), fontsize=14, fontweight="bold")
        # One scale for all panels of a group, no wider than the weights are: after a short
        # search they are close together.
        low, high = float(np.nanmin(weights[group])), float(np.nanmax(weights[group]))
        margin = 0.05 * (high - low) or 0.05
        grid = subfigure.add_gridspec(
            num_rows[group],
            num_columns,
            left=0.09,
            right=0.98,
            bottom=0.5 / height,
            top=1 - top / height,
            wspace=0.12,
            hspace=0.5,
        )
        names = space.row_names(group)
        for index, (name, (row, column)) in enumerate(zip(names, places[group], strict=True)):
            axes = subfigure.add_subplot(grid[row, column], label=f"{group} {name}")
            for choice, label in enumerate(columns):
                values = weights[group][:, index, choice]
                if not np.isnan(values).all():
                    marker = "o" if len(epochs) == 1 else None
                    axes.plot(epochs, values, label=label, marker=marker, **looks[label])
            title = name
            if group in edge_weights:
                title += f" (edge {edge_weights[group][index]:.2f})"
            axes.set_title(title, fontsize=10)
            if len(epochs) == 1:
                axes.set_xlim(epochs[0] - 0.5, epochs[0] + 0.5)
            axes.set_ylim(low - margin, high + margin)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4, min_n_ticks=1))
            axes.tick_params(labelsize=8, labelleft=column == 0)
            axes.grid(alpha=0.3)
            axes.set_xlabel("epoch" if row == num_rows[group] - 1 else "", fontsize=9)
            axes.set_ylabel("weight" if column == 0 else "", fontsize=9)
        corner: dict[str, Any] = {
            "loc": "upper right",
            "bbox_to_anchor": (0.985, 1 - 0.6 / height),
            "ncols": 2 if len(columns) > 5 else 1,
        }
        above: dict[str, Any] = {
            "loc": "upper center",
            "bbox_to_anchor": (0.5, 1 - 0.45 / height),
            "ncols": min(len(columns), 6),
        }
        subfigure.legend(
            handles=[Line2D([], [], label=name, **looks[name]) for name in columns],
            fontsize=9,
            handlelength=3.2,
            **(corner if has_corner[group] else above),
        )
    return figure


def alpha_heat_map(
    weights: Any,
    columns: Sequence[str],
    rows: Sequence[str],
    title: str,
) -> np.ndarray:
    """Draw architecture weights as an image, for TensorBoard.

    Args:
        weights: (E, P), after softmax; NaN, drawn hatched, where the space does not have the pair.
        columns: The P names of the columns, such as primitives.
        rows: The E names of the rows, such as edges.
        title: The title.

    Returns:
        (H, W, 3), uint8.

    Raises:
        ReportError: The weights have another shape.
    """
    table = np.asarray(weights, dtype=float)
    if table.shape != (len(rows), len(columns)):
        raise ReportError(
            f"heat map {title!r}: weights of shape {table.shape}; expected "
            f"{(len(rows), len(columns))} (rows, columns)"
        )
    # Fixed margins, in inches: a layout engine takes longer than all the drawing.
    below = 0.3 + 0.06 * max(map(len, columns))  # for names at 45 degrees
    left = 0.06 * max(map(len, rows))
    width, height = 1.8 + left + 0.62 * len(columns), 0.7 + below + 0.3 * len(rows)
    figure = Figure(figsize=(width, height), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    figure.subplots_adjust(
        left=max(0.6, below - 0.6, 0.1 + left) / width,
        right=1 - 0.3 / width,
        bottom=below / height,
        top=1 - 0.4 / height,
    )
    axes.set_title(printable(title, 80), fontsize=11, parse_math=False)
    image = axes.imshow(table, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    figure.colorbar(image, label="weight")
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", fontsize=9)
    axes.set_yticks(range(len(rows)), rows, fontsize=9)
    for (row, column), value in np.ndenumerate(table):
        if np.isnan(value):
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(
                Rectangle(corner, 1, 1, facecolor="white", edgecolor="#999999", hatch="////", lw=0)
            )
        else:
            color = "white" if value < 0.5 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=color, size=8)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _line_looks(primitives: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Give each primitive the color of its family, and different dashes within the family."""
    looks: dict[str, dict[str, Any]] = {}
    counts: dict[str, int] = {}
    has_families = any(name in BUILT_IN for name in primitives)
    for name in primitives:
        # Operators of plug-ins describe themselves in genotype.json, for a diagram; the space
        # file has names alone.
        family = BUILT_IN[name].family if name in BUILT_IN else "other"
        position = counts.get(family, 0)
        counts[family] = position + 1
        style = style_of(family)
        looks[name] = {
            # Candidates and depths of a chain have no families.
            "color": style.line if has_families else f"C{position % 10}",
            "linewidth": style.width,
            "linestyle": _DASHES[position % len(_DASHES)],
        }
    return looks
