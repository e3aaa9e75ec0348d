"""How often the two cells of a genotype have each operator, counted and as a picture."""

from collections import Counter
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nas.genotype import Genotype
from nas.primitives import BUILT_IN
from nas.report.cells.labels import describe, distinct
from nas.report.figures.style import TITLES, style_of
from nas.space import CELL_TYPES

_HATCHES = (None, "/////")


def count_operators(
    genotype: Genotype, primitives: Sequence[str] = ()
) -> list[tuple[str, int, int]]:
    """Count the entries of each primitive.

    Args:
        genotype: The cells.
        primitives: Those of the space; unused ones count 0. `none`, which no cell has, is left out.

    Returns:
        (primitive, entries in the normal cell, entries in the reduction cell), in the order of
        the space, then of first use.
    """
    counts = {
        kind: Counter(name for node in getattr(genotype, kind) for name, _ in node)
        for kind in CELL_TYPES
    }
    names = dict.fromkeys((*primitives, *genotype.primitives))
    rows = [(name, counts["normal"][name], counts["reduce"][name]) for name in names]
    return [row for row in rows if row[1] or row[2] or row[0] != "none"]


def operators_figure(genotype: Genotype, primitives: Sequence[str] = ()) -> Figure:
    """Draw the counts of `count_operators` as bars in the colors of the diagrams.

    Raises:
        GenotypeError: A primitive of the genotype is unknown.
    """
    rows = count_operators(genotype, primitives)
    figure = Figure(figsize=(6.4, 0.9 + 0.36 * len(rows)), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    labels = []
    for place, (name, *numbers) in enumerate(rows):
        used = name in genotype.primitives
        known = describe(genotype, name) if used else BUILT_IN.get(name)
        labels.append(known.label if known and known.label.strip() else name)
        style = style_of(known.family if known else "other")
        # Solid and hatched distinguish the cells, so that color can show the family.
        for number, offset, fill, hatch in zip(
            numbers, (-0.2, 0.2), (style.fill, "white"), _HATCHES, strict=True
        ):
            axes.barh(place + offset, number, 0.36, color=fill, edgecolor=style.line, hatch=hatch)
            axes.text(number + 0.06, place + offset, str(number), va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), distinct(labels))
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.invert_yaxis()
    axes.set_xlim(0, max(max(row[1:]) for row in rows) + 0.8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("entries in the cell")
    axes.spines[["top", "right"]].set_visible(False)
    handles = [
        Patch(label=TITLES[kind], facecolor=fill, edgecolor="#555555", hatch=hatch)
        for kind, fill, hatch in zip(CELL_TYPES, ("#BBBBBB", "white"), _HATCHES, strict=True)
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return figure
