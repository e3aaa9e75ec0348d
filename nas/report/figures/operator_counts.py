"""How often the cells of a genotype have each operator, counted and as a picture."""

from collections import Counter
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nas.genotype import Genotype
from nas.primitives import BUILT_IN
from nas.report.cells.labels import describe, distinct
from nas.report.figures.style import TITLES, style_of

_HATCHES = (None, "/////")


def count_operators(
    genotype: Genotype, primitives: Sequence[str] = ()
) -> list[tuple[str, list[int]]]:
    """Count the entries of each primitive.

    Args:
        genotype: The cells.
        primitives: Those of the space; unused ones count 0, but an unused `none` is left out.

    Returns:
        (primitive, entries in each kind of cell), in the order of the space, then of first use.
    """
    counts = [
        Counter(name for node in getattr(genotype, kind) for name, _ in node)
        for kind in genotype.kind.cell_types
    ]
    names = dict.fromkeys((*primitives, *genotype.primitives))
    rows = [(name, [count[name] for count in counts]) for name in names]
    return [(name, numbers) for name, numbers in rows if any(numbers) or name != "none"]


def operators_figure(genotype: Genotype, primitives: Sequence[str] = ()) -> Figure:
    """Draw the counts of `count_operators` as bars in the colors of the diagrams.

    Raises:
        GenotypeError: A primitive of the genotype is unknown.
    """
    rows = count_operators(genotype, primitives)
    figure = Figure(figsize=(6.4, 0.9 + 0.36 * len(rows)), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    kinds = genotype.kind.cell_types
    offsets = (-0.2, 0.2) if len(kinds) > 1 else (0.0,)
    labels = []
    for place, (name, numbers) in enumerate(rows):
        used = name in genotype.primitives
        known = describe(genotype, name) if used else BUILT_IN.get(name)
        labels.append(known.label if known and known.label.strip() else name)
        style = style_of(known.family if known else "other")
        # Solid and hatched distinguish the cells, so that color can show the family.
        looks = zip(offsets, (style.fill, "white"), _HATCHES, strict=False)
        for number, (offset, fill, hatch) in zip(numbers, looks, strict=True):
            axes.barh(place + offset, number, 0.36, color=fill, edgecolor=style.line, hatch=hatch)
            axes.text(number + 0.06, place + offset, str(number), va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), distinct(labels))
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.invert_yaxis()
    axes.set_xlim(0, max(max(numbers) for _, numbers in rows) + 0.8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("entries in the cell")
    axes.spines[["top", "right"]].set_visible(False)
    handles = [
        Patch(label=TITLES[kind], facecolor=fill, edgecolor="#555555", hatch=hatch)
        for kind, fill, hatch in zip(kinds, ("#BBBBBB", "white"), _HATCHES, strict=False)
    ]
    if len(kinds) > 1:
        figure.legend(
            handles=handles, loc="outside upper right", ncols=2, frameon=False, fontsize=9
        )
    return figure
