"""How all figures look: colors of the operator families, lines, titles.

Readers with a color vision deficiency can tell the colors apart, and no picture relies on them
alone: a diagram writes every operator's label, a plot gives each line of a family its own dashes.

Source: P. Tol, "Color schemes" (SRON technical note): the "light" scheme for fills under black
text and the "vibrant" one for lines, with the two blues moved further apart in lightness.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nas.primitives import OPERATOR_FAMILIES


@dataclass(frozen=True)
class FamilyStyle:
    """How the operators of one family look."""

    fill: str
    """Behind a label."""
    line: str
    """The border of a label, an edge or a line of a plot."""
    text: str = "#000000"
    """The label on `fill`."""
    width: float = 1.5
    """Width of an edge or a line, in points."""
    bold: bool = False
    mark: str = ""
    """Numeric character references put before the label in a diagram."""


# The sandglass is the one dark, bold and heavy family, so that the eye finds it first. Its mark is
# the block lying on its side, wide - narrow - wide; the two triangles are in every common font.
_STYLES = {
    "separable conv": FamilyStyle(fill="#77AADD", line="#0055A4"),
    "dilated conv": FamilyStyle(fill="#BBE6FF", line="#4FC3E8"),
    "conv": FamilyStyle(fill="#66CCAA", line="#009988"),
    "sandglass": FamilyStyle(
        fill="#CC3311",
        line="#CC3311",
        text="#FFFFFF",
        width=3.0,
        bold=True,
        mark="&#9658;&#9668; ",
    ),
    "inverted residual": FamilyStyle(fill="#CCDD55", line="#888800"),
    "pooling": FamilyStyle(fill="#FFE699", line="#DDAA33"),
    "skip": FamilyStyle(fill="#E4E4E4", line="#777777"),
    "none": FamilyStyle(fill="#FFFFFF", line="#BBBBBB"),
    "other": FamilyStyle(fill="#FFBBCC", line="#EE3377"),
}
assert tuple(_STYLES) == OPERATOR_FAMILIES, "every family of nas.primitives has its colors here"


def known_family(family: str) -> str:
    """Return the family itself, or 'other' for one that has no colors here."""
    return family if family in _STYLES else "other"


def style_of(family: str) -> FamilyStyle:
    """Return the style of a family; an unknown one looks like 'other'."""
    return _STYLES[known_family(family)]


# Tol's "vibrant" colors, which every reader can tell apart; dashes and markers repeat the
# difference for print in gray.
FIRST: dict[str, Any] = {"color": "#0077BB", "linestyle": "-", "marker": "o"}
SECOND: dict[str, Any] = {
    "color": "#EE7733",
    "linestyle": "--",
    "marker": "s",
    "markerfacecolor": "none",
}
THIRD: dict[str, Any] = {"color": "#009988", "linestyle": "-.", "marker": "^"}
REFERENCE: dict[str, Any] = {"color": "#777777", "linestyle": ":", "linewidth": 1.0}

TITLES = {"normal": "normal cell", "reduce": "reduction cell"}


def title_of(cell_type: str, cell_types: Sequence[str]) -> str:
    """Return the title of a cell; the only kind of cell is just a cell."""
    return TITLES.get(cell_type, cell_type) if len(cell_types) > 1 else "cell"


"""Names of the groups of edges that are cells; another group goes by its own name."""
