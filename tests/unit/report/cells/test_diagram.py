import re
import xml.etree.ElementTree as ElementTree

import pytest
from PIL import Image

from nas.errors import GenotypeError, ReportError
from nas.genotype import Genotype, load_genotype
from nas.primitives import BUILT_IN
from nas.report.cells.diagram import cell_source, draw_cells
from nas.report.cells.graphviz import render
from nas.report.figures.style import style_of

SVG = "{http://www.w3.org/2000/svg}"

MIXED = Genotype(
    normal=(
        (("sandglass_3x3", 0), ("inverted_residual_3x3", 1)),
        (("dil_conv_3x3", 1), ("max_pool_3x3", 0)),
        (("skip_connect", 2), ("my_op", 0)),
        (("sandglass_3x3", 3), ("none", 1)),
        (("conv_3x3", 2), ("sep_conv_7x7", 5)),
    ),
    normal_concat=(2, 4, 5, 6),
    reduce=((("sandglass_3x3", 1), ("sandglass_3x3", 1)),),
    reduce_concat=(0, 2),
    operators={"my_op": {"label": "my operator", "family": "attention"}},
    space={"name": "darts+sandglass+ir"},
)
"""Five nodes and one, node 3 unused, an input in concat, twice the same input, a plug-in."""


class Drawing:
    """A rendered cell, read back from its SVG."""

    def __init__(self, genotype: Genotype, cell_type: str):
        self.root = ElementTree.fromstring(render(cell_source(genotype, cell_type).source, "svg"))
        groups = list(self.root.iter(f"{SVG}g"))
        self.nodes = {g[0].text: g for g in groups if g.get("class") == "node"}
        self.arrows = {
            tuple(re.sub(r":\w+", "", g[0].text).split("->"))
            for g in groups
            if g.get("class") == "edge"
        }
        self.texts = ["".join(text.itertext()).strip() for text in self.root.iter(f"{SVG}text")]

    def label(self, node: str) -> str:
        return "".join(self.nodes[node].find(f"{SVG}text").itertext())

    def shape(self, node: str):
        return next(part for part in self.nodes[node] if part.tag in _SHAPES)

    def x(self, node: str) -> float:
        return float(self.nodes[node].find(f"{SVG}text").get("x"))

    def y(self, node: str) -> float:
        return float(self.nodes[node].find(f"{SVG}text").get("y"))


NAMES = ["DARTS_V1", "DARTS_V2", "PC_DARTS_CIFAR", "FAIRDARTS_A"]
_SHAPES = {f"{SVG}path", f"{SVG}polygon", f"{SVG}ellipse"}


@pytest.fixture(scope="module")
def mixed_normal() -> Drawing:
    return Drawing(MIXED, "normal")


@pytest.fixture(scope="module")
def mixed_reduce() -> Drawing:
    return Drawing(MIXED, "reduce")


@pytest.mark.parametrize("name", [*NAMES, "MIXED"])
def test_pictures_are_whole_and_large_enough(name, tmp_path):
    """Each cell gives a PNG that can be read and printed, and an SVG that is XML."""
    genotype = MIXED if name == "MIXED" else load_genotype(name)
    paths = draw_cells(genotype, tmp_path / "figures")
    assert [path.name for path in paths] == [
        "cell_normal.png",
        "cell_normal.svg",
        "cell_reduce.png",
        "cell_reduce.svg",
    ]
    assert sorted(paths) == sorted((tmp_path / "figures").iterdir())
    for path in paths:
        if path.suffix == ".png":
            with Image.open(path) as picture:
                picture.load()
                assert picture.width > 1000 and picture.height > 500
                assert len(picture.convert("RGB").getcolors(1 << 20)) > 10
        else:
            assert ElementTree.parse(path).getroot().tag == f"{SVG}svg"


@pytest.mark.parametrize("cell_type", ["normal", "reduce"])
@pytest.mark.parametrize("name", NAMES)
def test_every_pair_of_a_genotype_is_drawn(name, cell_type):
    """Each (primitive, source) pair is one labelled path from its source into its node."""
    genotype = load_genotype(name)
    drawing = Drawing(genotype, cell_type)
    for target, node in enumerate(getattr(genotype, cell_type), start=2):
        for position, (primitive, source) in enumerate(node):
            operator = f"op_{target}_{position}"
            assert drawing.label(operator) == BUILT_IN[primitive].label
            assert {(f"state_{source}", operator), (operator, f"state_{target}")} <= drawing.arrows
    assert len([node for node in drawing.nodes if node.startswith("op_")]) == sum(
        map(len, getattr(genotype, cell_type))
    )


@pytest.mark.parametrize("cell_type", ["normal", "reduce"])
@pytest.mark.parametrize("name", [*NAMES, "MIXED"])
def test_cell_reads_from_left_to_right(name, cell_type):
    """The inputs stand left, c_{k-2} above c_{k-1}; the output right; the rest between."""
    drawing = Drawing(MIXED if name == "MIXED" else load_genotype(name), cell_type)
    assert [drawing.label(node) for node in ("state_0", "state_1", "output")] == [
        "c_{k-2}",
        "c_{k-1}",
        "c_{k}",
    ]
    assert drawing.x("state_0") == drawing.x("state_1")
    assert drawing.y("state_0") < drawing.y("state_1")
    between = [
        drawing.x(node) for node in drawing.nodes if node not in ("state_0", "state_1", "output")
    ]
    assert drawing.x("state_0") < min(between) <= max(between) < drawing.x("output")


def test_nodes_are_numbered_as_in_the_paper(mixed_normal):
    """The first intermediate node is number 0."""
    assert [mixed_normal.label(f"state_{index}") for index in range(2, 7)] == list("01234")


def test_each_family_has_its_colour(mixed_normal):
    """An operator is filled with the colour of its family, an unknown family with 'other'."""
    fills = {
        mixed_normal.label(node): mixed_normal.shape(node).get("fill").upper()
        for node in mixed_normal.nodes
        if node.startswith("op_")
    }
    expected = {
        primitive.label: style_of(primitive.family).fill
        for primitive in map(BUILT_IN.get, MIXED.primitives)
        if primitive and primitive.family not in ("sandglass", "none")
    }
    expected["my operator"] = style_of("other").fill
    assert expected.items() <= fills.items()
    assert len(set(expected.values())) == len(expected)


def test_sandglass_stands_out(mixed_normal):
    """The sandglass is bold on a dark fill, with a mark and a thicker line than any other."""
    node = mixed_normal.nodes["op_2_0"]
    text = node.find(f"{SVG}text")
    assert text.text == "\u25ba\u25c4 sandglass 3x3"
    assert text.get("font-weight") == "bold" or "Bold" in text.get("font-family")
    assert mixed_normal.shape("op_2_0").get("fill").upper() == style_of("sandglass").fill
    widths = {
        name: float(mixed_normal.shape(name).get("stroke-width", 1))
        for name in mixed_normal.nodes
        if name.startswith("op_")
    }
    heavy = {name for name, width in widths.items() if width == max(widths.values())}
    assert heavy == {"op_2_0", "op_5_0"}


def test_legend_has_only_the_families_used(mixed_reduce):
    """A cell of sandglasses alone has one entry in its legend."""
    assert [text for text in mixed_reduce.texts if text in ("sandglass", "skip", "other")] == [
        "sandglass"
    ]
    assert "conv" not in mixed_reduce.texts


def test_titles_name_the_cell_the_space_and_the_stride(mixed_normal, mixed_reduce):
    """The title names the cell and the space; only a reduction cell speaks of stride 2."""
    assert "normal cell" in mixed_normal.texts and "reduction cell" in mixed_reduce.texts
    for drawing in (mixed_normal, mixed_reduce):
        assert "in the space darts+sandglass+ir" in drawing.texts
    caption = "operators that read c_{k-2} or c_{k-1} have stride 2"
    assert caption in mixed_reduce.texts and caption not in mixed_normal.texts
    assert not [
        text for text in Drawing(load_genotype("DARTS_V2"), "normal").texts if "in the" in text
    ]


def test_node_outside_concat_is_dashed_and_not_joined_to_the_output(mixed_normal):
    """A node that is not concatenated is dashed and has no line to the output."""
    joined = {tail for tail, head in mixed_normal.arrows if head == "output"}
    assert joined == {"state_2", "state_4", "state_5", "state_6"}
    assert mixed_normal.shape("state_3").get("stroke-dasharray")
    assert not mixed_normal.shape("state_4").get("stroke-dasharray")


def test_output_is_right_of_a_deeper_node_outside_concat():
    """Even when only the first node is concatenated, the output stands right of all others."""
    chain = tuple((("skip_connect", source),) for source in range(1, 5))
    drawing = Drawing(Genotype(chain, (2,), chain, (2,)), "normal")
    assert drawing.x("state_2") < drawing.x("state_5") < drawing.x("output")


def test_input_in_concat_is_joined_to_the_output(mixed_reduce):
    """An input that is concatenated has a line to the output."""
    joined = {tail for tail, head in mixed_reduce.arrows if head == "output"}
    assert joined == {"state_0", "state_2"}


def test_same_input_twice_is_drawn_twice(mixed_reduce):
    """Two operators on the same input are two paths."""
    assert mixed_reduce.arrows >= {
        ("state_1", "op_2_0"),
        ("state_1", "op_2_1"),
        ("op_2_0", "state_2"),
        ("op_2_1", "state_2"),
    }


@pytest.mark.parametrize(
    "text",
    [
        '"]; evil [label="pwned',
        "<b>bold</b>",
        "</TD></TR></TABLE>> evil=<",
        "\\N \\G \\l",
        "ends with \\",
        "&lt;b&gt; &amp;",
        "a -> b; {",
        '<IMG SRC="x.png"/>',
        "quote ' and `",
    ],
)
def test_text_of_a_genotype_is_shown_and_never_interpreted(text):
    """A label or a space name with markup appears as it is, and adds nothing to the drawing."""
    plain = _with_texts("plain", "plain")
    hostile = _with_texts(text, text)
    assert hostile.label("op_2_0") == text
    assert f"in the space {text}" in hostile.texts
    assert hostile.arrows == plain.arrows
    assert [child.tag for child in hostile.root.iter()] == [
        child.tag for child in plain.root.iter()
    ]


@pytest.mark.parametrize("text", ["\ud800\0\n", "x" * 100_000, "", "   "])
def test_odd_labels_are_drawn(text):
    """Labels that cannot be shown as they are do not stop the drawing, and stay short."""
    label = _with_texts(text, text).label("op_2_0")
    assert 1 <= len(label) <= 32


def _with_texts(label: str, space: str) -> Drawing:
    genotype = Genotype(
        normal=((("odd_op", 0), ("skip_connect", 1)),),
        normal_concat=(2,),
        reduce=((("skip_connect", 0),),),
        reduce_concat=(2,),
        operators={"odd_op": {"label": label, "family": label}},
        space={"name": space},
    )
    return Drawing(genotype, "normal")


def test_unknown_primitive_leaves_nothing_behind(tmp_path):
    """A genotype with an unknown primitive is an error, and not even the folder is made."""
    genotype = Genotype(
        normal=((("sep_conv_3x3", 0),),),
        normal_concat=(2,),
        reduce=((("zap", 0),),),
        reduce_concat=(2,),
    )
    with pytest.raises(GenotypeError, match="unknown primitive 'zap'"):
        draw_cells(genotype, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


def test_failed_format_leaves_nothing_behind(monkeypatch, tmp_path):
    """When one format cannot be rendered, no picture of another format is written either."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ReportError):
        draw_cells(MIXED, tmp_path / "figures", ("svg", "pdf"))
    assert not (tmp_path / "figures").exists()


def test_largest_cell_is_drawn():
    """A cell of 16 nodes, the most a genotype may have, is drawn whole."""
    nodes = tuple((("sep_conv_3x3", n), ("skip_connect", n + 1)) for n in range(16))
    genotype = Genotype(nodes, tuple(range(2, 18)), nodes, tuple(range(2, 18)))
    assert Drawing(genotype, "normal").label("state_17") == "15"
