"""Draw the cells of a genotype, as the figures of NAS papers do.

From left to right: the inputs c_{k-2} and c_{k-1}, the operators as colored labels, the
intermediate nodes numbered from 0, and the output c_{k}. A cell with one input has c_{k-1} alone,
and its nodes are numbered from 1, as in NAS-Bench-201. `none` passes nothing on and is not drawn.

Source: DARTS (arXiv:1806.09055), Fig. 4 and 5, for the form of the figure.
"""

from collections.abc import Sequence
from pathlib import Path

import graphviz

from nas.files import write_files
from nas.genotype import Genotype
from nas.primitives import OPERATOR_FAMILIES, Primitive
from nas.report.cells.graphviz import render
from nas.report.cells.labels import describe, distinct, escaped
from nas.report.figures.style import known_family, style_of, title_of

_INPUTS = ("c_{k-2}", "c_{k-1}")
_OUTPUT = "c_{k}"
_INK = "#333333"
_FAINT = "#999999"
# Graphviz maps Helvetica to Arial or a free equivalent, which all have the same widths.
_FONT = "Helvetica"


def cell_source(genotype: Genotype, cell_type: str) -> graphviz.Digraph:
    """Build the graphviz source of one cell.

    Args:
        genotype: The genotype; labels and families come from its `operators`, else from
            nas.primitives.
        cell_type: "normal" or "reduce".

    Raises:
        GenotypeError: A primitive is unknown.
    """
    nodes = getattr(genotype, cell_type)
    concat = getattr(genotype, f"{cell_type}_concat")
    operators = _operators(genotype, cell_type)
    families = {known_family(primitive.family) for primitive in operators.values()} - {"none"}
    graph = graphviz.Digraph(f"{cell_type}_cell")
    graph.attr(rankdir="LR", nodesep="0.22", ranksep="0.4", pad="0.2", bgcolor="white")
    graph.attr(labelloc="t", fontname=_FONT, label=_header(genotype, cell_type, families))
    graph.attr("node", fontname=_FONT, fontsize="16", penwidth="1.5", color=_INK)
    graph.attr("edge", color=_INK, penwidth="1.5", arrowsize="0.8")
    num_inputs = genotype.kind.num_inputs
    drawn_solid = concat if num_inputs > 1 else range(num_inputs + len(nodes))
    _add_states(graph, num_inputs, len(nodes), drawn_solid)
    for target, node in enumerate(nodes, start=num_inputs):
        for position, (name, source) in enumerate(node):
            if operators[name].family != "none":
                _add_operator(graph, operators[name], f"op_{target}_{position}", source, target)
    for source in concat:
        graph.edge(_state(source), "output", color=_FAINT, headport="w", weight="2")
    return graph


def draw_cells(
    genotype: Genotype, out_dir: str | Path, formats: Sequence[str] = ("png", "svg")
) -> list[Path]:
    """Write cell_normal, and cell_reduce where there is one; nothing where one fails.

    Args:
        genotype: What to draw.
        out_dir: The folder; it is created if it does not exist.
        formats: Some of "png", "svg" and "pdf"; pdf needs the system's `dot`.

    Returns:
        The paths written.

    Raises:
        GenotypeError: A primitive is unknown.
        ReportError: There is no engine, it failed, or the folder cannot be written.
    """
    sources = {kind: cell_source(genotype, kind).source for kind in genotype.kind.cell_types}
    return write_files(
        {
            Path(out_dir) / f"cell_{kind}.{picture_format}": render(source, picture_format)
            for kind, source in sources.items()
            for picture_format in formats
        }
    )


def _operators(genotype: Genotype, cell_type: str) -> dict[str, Primitive]:
    """Return the operators of a cell by name, with labels that can be told apart."""
    nodes = getattr(genotype, cell_type)
    operators = {name: describe(genotype, name) for node in nodes for name, _ in node}
    labels = distinct([p.label if p.label.strip() else p.name for p in operators.values()])
    return {
        name: Primitive(name, label, primitive.family)
        for (name, primitive), label in zip(operators.items(), labels, strict=True)
    }


def _add_states(
    graph: graphviz.Digraph, num_inputs: int, num_nodes: int, drawn_solid: Sequence[int]
) -> None:
    with graph.subgraph() as inputs:
        inputs.attr(rank="source")
        for index, label in enumerate(_INPUTS[-num_inputs:]):
            inputs.node(
                _state(index), label, shape="box", style="rounded,filled", fillcolor="#F2F2F2"
            )
        # An edge within a rank points down: it puts c_{k-2} above c_{k-1}.
        for index in range(1, num_inputs):
            inputs.edge(_state(index - 1), _state(index), style="invis")
    first = 0 if num_inputs > 1 else num_inputs  # the benchmark counts the input as node 0
    for index in range(num_inputs, num_inputs + num_nodes):
        look = {"style": "filled", "fillcolor": "#FFFFFF"}
        if index not in drawn_solid:
            look = {"style": "dashed", "color": _FAINT, "fontcolor": "#777777"}
        number = str(first + index - num_inputs)
        graph.node(_state(index), number, shape="circle", width="0.5", fixedsize="true", **look)
    with graph.subgraph() as output:
        output.attr(rank="sink")
        output.node("output", _OUTPUT, shape="box", style="rounded,filled", fillcolor="#F2F2F2")


def _add_operator(
    graph: graphviz.Digraph, primitive: Primitive, name: str, source: int, target: int
) -> None:
    """Add an operator as a node on its edge, so that its label belongs to no other edge."""
    style = style_of(primitive.family)
    graph.node(
        name,
        style.mark + escaped(primitive.label, len(primitive.label)),
        shape="box",
        style="rounded,filled",
        fillcolor=style.fill,
        color=style.line,
        fontcolor=style.text,
        fontname=f"{_FONT}-Bold" if style.bold else _FONT,
        penwidth=str(style.width),
        height="0.38",
        # Not every engine knows how wide a mark is, so it gets more room than a label alone.
        margin="0.28,0.04" if style.mark else "0.1,0.04",
    )
    line = {"color": style.line, "penwidth": str(style.width)}
    graph.edge(_state(source), name, arrowhead="none", headport="w", **line)
    graph.edge(name, _state(target), tailport="e", **line)


def _header(genotype: Genotype, cell_type: str, families: set[str]) -> str:
    """Write the title, the caption and the legend as one HTML-like label."""
    title = f'<FONT POINT-SIZE="20"><B>{title_of(cell_type, genotype.kind.cell_types)}</B></FONT>'
    space = genotype.space.get("name")
    if isinstance(space, str) and space.strip():
        title += f'<FONT POINT-SIZE="16">  in the space {escaped(space, 60)}</FONT>'
    rows = [title]
    if cell_type == "reduce":
        caption = f"operators that read {' or '.join(_INPUTS)} have stride 2"
        rows.append(f'<FONT POINT-SIZE="14">{caption}</FONT>')
    rows.append(_legend([family for family in OPERATOR_FAMILIES if family in families]))
    cells = "".join(f"<TR><TD>{row}</TD></TR>" for row in rows)
    return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2">{cells}</TABLE>>'


def _legend(families: list[str]) -> str:
    """Write each family on its color."""
    # A fixed width in points, about 8 a letter; else graphviz stretches it to that of the title.
    width = sum(8 * len(family) + 20 for family in families)
    cells = []
    for family in families:
        style = style_of(family)
        cells.append(
            f'<TD BORDER="1" CELLPADDING="3" BGCOLOR="{style.fill}" COLOR="{style.line}">'
            f'<FONT POINT-SIZE="13" COLOR="{style.text}"> {family} </FONT></TD>'
        )
    size = f'FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="34"'
    return f'<TABLE BORDER="0" CELLSPACING="5" {size}><TR>{"".join(cells)}</TR></TABLE>'


def _state(index: int) -> str:
    return f"state_{index}"
