"""The operators of a genotype, counted and drawn."""

import pytest

from nas.genotype import load_genotype
from nas.report.figures.operator_counts import count_operators, operators_figure
from nas.report.figures.style import style_of
from nas.space import load_space


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))


def test_operators_are_counted_in_the_order_of_the_space():
    """Primitives that no entry uses count zero, and `none` is left out."""
    rows = count_operators(load_genotype("DARTS_V2"), load_space("darts").primitives)
    assert rows == [
        ("max_pool_3x3", [0, 5]),
        ("avg_pool_3x3", [0, 0]),
        ("skip_connect", [2, 3]),
        ("sep_conv_3x3", [5, 0]),
        ("sep_conv_5x5", [0, 0]),
        ("dil_conv_3x3", [1, 0]),
        ("dil_conv_5x5", [0, 0]),
    ]
    assert [row[0] for row in count_operators(load_genotype("DARTS_V2"))] == [
        "sep_conv_3x3",
        "skip_connect",
        "dil_conv_3x3",
        "max_pool_3x3",
    ]


def test_bars_have_the_counts_and_the_colours_of_the_families():
    """Two bars an operator: the normal cell solid, the reduction cell hatched."""
    axes = operators_figure(load_genotype("DARTS_V2")).axes[0]
    bars = list(axes.patches)
    assert [bar.get_width() for bar in bars] == [5, 0, 2, 3, 1, 0, 0, 5]
    assert [bar.get_hatch() is not None for bar in bars] == [False, True] * 4
    assert bars[0].get_edgecolor()[:3] == pytest.approx(_rgb(style_of("separable conv").line))
    assert next(label.get_text() for label in axes.get_yticklabels()) == "sep conv 3x3"
