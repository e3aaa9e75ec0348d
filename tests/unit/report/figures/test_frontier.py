"""The picture of a frontier: measured networks are points, others are lines at their cost."""

import dataclasses

import pytest

from nas.genotype.frontier import Point
from nas.report.figures.frontier import draw_frontier, frontier_figure
from tests.unit.genotype.test_frontier import FRONTIER


@pytest.mark.parametrize(
    ("quantity", "unit"), [("madds", 1e6), ("parameters", 1e6), ("latency_ms", 1)]
)
def test_points_and_lines(quantity, unit):
    """Networks that were found are joined; a published one has a place by what is known of it."""
    far = Point("MobileNeXt 1.4", 1e9, 5, 5, 99.0)
    unknown = Point("MobileNetV2 1", None, 5, 5, None)
    frontier = dataclasses.replace(
        FRONTIER, quantity=quantity, references=(*FRONTIER.references, far, unknown)
    )
    (axes,) = frontier_figure(frontier).axes
    found, inside, outside, legend = axes.lines
    assert list(found.get_xdata()) == [5 / unit, 9 / unit]
    assert list(found.get_ydata()) == [61.5, 64.0]
    assert (list(inside.get_xdata()), list(inside.get_ydata())) == ([8 / unit], [60.0])
    assert inside.get_label() == "MobileNeXt 0.5, a network of this space"
    assert list(outside.get_xdata()) == [7 / unit] * 2
    assert list(legend.get_xdata()) == [] and "cost only" in legend.get_label()
    assert [text.get_text().strip() for text in axes.texts] == ["MobileNetV2 0.5"]


def test_files(tmp_path):
    paths = draw_frontier(FRONTIER, tmp_path)
    assert [path.name for path in paths] == ["frontier.png", "frontier.svg"]
    assert all(path.stat().st_size > 1000 for path in paths)
