"""The picture of a frontier: measured networks are points, others are lines at their cost."""

import dataclasses

import pytest

from nas.genotype.frontier import Point
from nas.report.figures.frontier import frontier_figure
from nas.report.html import write_report
from nas.space import load_space
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


def test_the_report_shows_it(tmp_path):
    """Picture and table; a run that is not finished says what is missing."""
    (tmp_path / "config.yaml").write_text("space: mobilenext_chain\ntargets: madds=6,9\n")
    (tmp_path / "space.yaml").write_text(load_space("mobilenext_chain").to_yaml())
    assert "frontier.json is not there yet" in write_report(tmp_path).read_text()
    (tmp_path / "frontier.json").write_text(FRONTIER.to_json())
    page = write_report(tmp_path).read_text()
    assert '<section id="frontier">' in page and "network.json" not in page
    assert "frontier.json is not there" not in page
    for text in ("madds_6", "61.50 %", "MobileNetV2 0.5", "\N{EN DASH}"):
        assert text in page
    assert (tmp_path / "frontier.png").stat().st_size > 1000
