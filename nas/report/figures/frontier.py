"""The networks of several costs that one supernet led to: accuracy in the supernet against cost."""

from matplotlib.figure import Figure

from nas.genotype.frontier import Frontier
from nas.report.cells.labels import printable

_COLORS = {"MobileNeXt": "#CC3311", "MobileNetV2": "#888800"}
"""Of published networks, by the first word of their names."""
_FOUND, _OTHER = "#0055A4", "#777777"
_UNITS = {
    "madds": (1e6, "multiply-adds (M)"),
    "parameters": (1e6, "parameters (M)"),
    "latency_ms": (1.0, "latency by the table (ms)"),
}
"""The unit of each quantity of targets, and its name."""
_AROUND = 1.6
"""Published networks that cost up to this many times more or less than the targets are drawn."""


def frontier_figure(frontier: Frontier) -> Figure:
    """Draw a frontier.

    Networks that the supernet contains are points. Published networks that it does not contain have
    a cost and no accuracy in it: they are vertical lines.
    """
    unit, unit_name = _UNITS[frontier.quantity]
    figure = Figure(figsize=(7.5, 4.6), dpi=130, layout="constrained")
    axes = figure.subplots()
    found = sorted((point.cost or 0.0, point.accuracy or 0.0) for point in frontier.networks)
    axes.plot(
        [cost / unit for cost, _ in found],
        [accuracy for _, accuracy in found],
        "o-",
        color=_FOUND,
        label="found, one for each target",
    )
    low, high = found[0][0] / _AROUND, found[-1][0] * _AROUND
    for point in frontier.references:
        if point.cost is None or not low <= point.cost <= high:
            continue
        x, name = point.cost / unit, printable(point.name, 40)
        color = _COLORS.get(name.partition(" ")[0], _OTHER)
        if point.accuracy is None:
            axes.axvline(x, color=color, linestyle=":", linewidth=1.2)
            axes.text(
                x,
                0.01,
                f"{name} ",
                color=color,
                rotation=90,
                fontsize=7,
                ha="right",
                va="bottom",
                transform=axes.get_xaxis_transform(),
            )
        else:
            label = f"{name}, a network of this space"
            axes.plot(x, point.accuracy, "D", color=color, label=label)
    axes.plot([], [], ":", color=_OTHER, label="published, not in this space: cost only")
    axes.set_xlabel(unit_name)
    axes.set_ylabel("accuracy in the supernet (%)")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    space, method, epochs = (frontier.supernet[key] for key in ("space", "method", "epochs"))
    title = f"{printable(str(space), 40)}, {printable(str(method), 40)}: weights of epoch {epochs}"
    axes.set_title(title, fontsize=10, loc="left", parse_math=False)
    return figure
