"""The record of a search space: nodes, edges, masks."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.space import CELL_TYPES, SearchSpace, edge_name, edges_of, load_space


def test_darts_has_fourteen_edges_node_by_node_and_inputs_in_order():
    """Row 0 of the alphas is the edge from input 0 to the first intermediate node."""
    space = load_space("darts")
    assert [edge_name(edge) for edge in space.edges] == (
        "0->2 1->2 0->3 1->3 2->3 0->4 1->4 2->4 3->4 0->5 1->5 2->5 3->5 4->5".split()
    )
    assert space.num_edges == 14
    nodes = {node for edge in space.edges for node in edge}
    assert nodes == set(range(6))  # two inputs and four intermediate nodes; the output has no edge


@pytest.mark.parametrize("num_nodes", range(1, 17))
def test_every_earlier_node_is_joined_to_every_intermediate_one(num_nodes):
    """A cell of n nodes has n (n + 3) / 2 edges, each once, forwards only."""
    edges = edges_of(num_nodes)
    assert len(edges) == len(set(edges)) == num_nodes * (num_nodes + 3) // 2
    assert all(source < target for source, target in edges)
    assert list(edges) == sorted(edges, key=lambda edge: (edge[1], edge[0]))


@pytest.mark.parametrize("num_nodes", [1, 2, 4, 16])
def test_incoming_gives_the_edges_that_end_in_a_node(num_nodes):
    """`incoming` finds by arithmetic what a look through all the edges finds."""
    space = SearchSpace("one", num_nodes, ("a",), (("a",),) * 152, (("a",),) * 152)
    for target in range(2, num_nodes + 2):
        looked_up = [row for row, edge in enumerate(space.edges) if edge[1] == target]
        assert list(space.incoming(target)) == looked_up


@pytest.mark.parametrize("cell_type", CELL_TYPES)
def test_the_mask_of_a_space_without_a_table_of_edges_is_full(cell_type):
    """Where no edge differs, every edge has every primitive."""
    space = load_space("darts+sandglass")
    assert space.mask(cell_type) == ((True,) * 9,) * 14


def test_the_mask_says_which_primitive_is_on_which_edge():
    """The mask is E rows of P, true where the edge has the primitive."""
    space = load_space("mixed_edges")
    assert space.primitives == (
        "none",
        "skip_connect",
        "sep_conv_3x3",
        "sandglass_3x3",
        "dil_conv_3x3",
        "max_pool_3x3",
    )
    normal = space.mask("normal")
    assert len(normal) == space.num_edges == 9
    assert normal[space.edges.index((0, 2))] == (False, True, True, False, False, False)
    assert normal[space.edges.index((2, 3))] == (True, False, False, True, True, False)
    assert normal[space.edges.index((0, 3))] == (True, True, True, True, False, False)
    assert space.mask("reduce")[0] == (False, False, False, True, False, True)


def test_a_space_cannot_be_changed():
    """A space is parsed once and then fixed."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_space("darts").num_nodes = 5


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True) | st.sampled_from(
    ["on", "no", "null", "y", "true", "none", "_", "__", "e1", "NaN", "_1"]
)


@st.composite
def spaces(draw):
    """Draw spaces as `load_space` can make them: P in order of first appearance."""
    num_nodes = draw(st.sampled_from([1, 2, 4, 16]))
    primitives = tuple(draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)))
    edges = len(edges_of(num_nodes))
    on_edge = st.sampled_from(
        [primitives, primitives[:1], primitives[::-1], primitives[-1:], primitives[::2]]
    )
    tables = [
        tuple(draw(on_edge) if row < 5 else primitives for row in range(edges)) for _ in CELL_TYPES
    ]
    plugins = draw(st.lists(st.sampled_from(["a.b", "os", "on", "1.0"]), max_size=2, unique=True))
    return SearchSpace(
        draw(st.text(max_size=9)), num_nodes, primitives, *tables, plugins=tuple(plugins)
    )


@settings(max_examples=60, deadline=None)
@given(spaces())
def test_to_yaml_is_read_back_equal(tmp_path_factory, space):
    """The space.yaml of a run is the space of the run, whatever its names and edges."""
    path = tmp_path_factory.mktemp("space") / "space.yaml"
    path.write_text(space.to_yaml(), encoding="utf-8")
    assert load_space(path) == space


@pytest.mark.parametrize("name", ["darts", "s2", "mixed_edges", "darts+sandglass+conv_3x3"])
def test_shipped_spaces_and_unions_survive_to_yaml(tmp_path, name):
    """A union is written as one file that needs none of its parts."""
    space = load_space(name)
    path = tmp_path / "space.yaml"
    path.write_text(space.to_yaml(), encoding="utf-8")
    assert load_space(path) == space


def test_plug_in_paths_survive_to_yaml_in_another_folder(tmp_path):
    """A plug-in named relative to its space file is still found from the run directory's copy."""
    (tmp_path / "own.yaml").write_text("primitives: [a]\nplugins: [ops.py, my.ops]\n", "utf-8")
    space = load_space(tmp_path / "own.yaml")
    run = tmp_path / "run"
    run.mkdir()
    (run / "space.yaml").write_text(space.to_yaml(), encoding="utf-8")
    assert load_space(run / "space.yaml").plugins == (str(tmp_path / "ops.py"), "my.ops")
