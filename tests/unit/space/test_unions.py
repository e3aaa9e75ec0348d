"""`a+b+c`: the union of search spaces."""

import pytest

from nas.errors import SearchSpaceError
from nas.space import load_space

DARTS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)


@pytest.fixture
def write(tmp_path):
    """Write a space file and return its path."""

    def write(name, text):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("name", "primitives"),
    [
        ("darts", DARTS),
        ("darts+sandglass", (*DARTS, "sandglass_3x3")),
        ("darts+ir", (*DARTS, "inverted_residual_3x3")),
        ("darts+sandglass+ir", (*DARTS, "sandglass_3x3", "inverted_residual_3x3")),
        ("darts+ir+sandglass", (*DARTS, "inverted_residual_3x3", "sandglass_3x3")),
        ("sandglass+s2", ("sandglass_3x3", "skip_connect", "sep_conv_3x3")),
        ("darts+conv_3x3", (*DARTS, "conv_3x3")),
        ("conv_3x3+my_own_op", ("conv_3x3", "my_own_op")),
        ("darts+darts", DARTS),
        ("darts+s2+none", DARTS),
        (" darts + sandglass ", (*DARTS, "sandglass_3x3")),
    ],
)
def test_primitives_are_united_in_order_each_once(name, primitives):
    """A union has the primitives of its parts in order, no repeats, on every edge."""
    space = load_space(name)
    assert space.primitives == primitives
    assert space.num_nodes == 4
    assert set(space.normal) == set(space.reduce) == {primitives}


def test_a_part_that_is_no_file_is_the_name_of_one_operator():
    """A name without a file becomes a primitive; the error message knows who asked for it."""
    space = load_space("s2+my_operator")
    assert space.primitives[-1] == "my_operator"
    assert space.name == "s2+my_operator"
    assert space.origins["my_operator"] == "space 's2+my_operator'"
    assert space.origins["skip_connect"].endswith("s2.yaml")


def test_the_first_part_that_names_a_primitive_is_its_origin():
    """Where two parts name a primitive, messages name the first."""
    assert load_space("s3+darts").origins["none"].endswith("s3.yaml")


def test_paths_may_be_parts(write):
    """Names, paths and operators mix in one union."""
    own = write("own", "primitives: [b, a]\n")
    space = load_space(f"s2+{own}+conv_3x3")
    assert space.primitives == ("skip_connect", "sep_conv_3x3", "b", "a", "conv_3x3")
    assert space.name == "s2+own+conv_3x3"


def test_a_file_with_a_plus_in_its_name_is_one_file(write):
    """A path that exists as it stands is not split."""
    assert load_space(write("a+b", "primitives: [x]\n")).primitives == ("x",)


@pytest.mark.parametrize(
    ("first", "second", "num_nodes"),
    [
        ("num_nodes: 3\nprimitives: [a]", "primitives: [b]", 3),
        ("primitives: [a]", "num_nodes: 3\nprimitives: [b]", 3),
        ("num_nodes: 3\nprimitives: [a]", "num_nodes: 3\nprimitives: [b]", 3),
        ("primitives: [a]", "primitives: [b]", 4),
        ("num_nodes: null\nprimitives: [a]", "num_nodes: 1\nprimitives: [b]", 1),
    ],
)
def test_the_parts_that_state_num_nodes_agree(write, first, second, num_nodes):
    """One statement is enough, and where there is none a cell has four intermediate nodes."""
    space = load_space(f"{write('first', first)}+{write('second', second)}")
    assert space.num_nodes == num_nodes
    assert len(space.normal) == len(space.reduce) == space.num_edges


@pytest.mark.parametrize(
    "second", ["num_nodes: 4\nprimitives: [b]", "edges: {normal: {0->2: [b]}}\nprimitives: [b]"]
)
def test_parts_that_disagree_on_num_nodes_are_refused(write, second):
    """The message names both files and both numbers; edges without a number speak of four nodes."""
    first, second = write("first", "num_nodes: 3\nprimitives: [a]"), write("second", second)
    with pytest.raises(SearchSpaceError) as error:
        load_space(f"{first}+{second}")
    assert f"{first} says 3" in str(error.value)
    assert f"{second} says 4" in str(error.value)
    assert "must agree on num_nodes" in str(error.value)


def test_edges_are_united_part_by_part(write):
    """An edge has what each part gives it: its list for that edge, else its primitives."""
    first = write(
        "first", "num_nodes: 1\nprimitives: [a]\nedges: {normal: {0->2: [b, a]}, reduce: {}}"
    )
    space = load_space(f"{first}+{write('second', 'primitives: [a, c]')}")
    assert space.primitives == ("a", "b", "c")
    assert space.normal == (("b", "a", "c"), ("a", "c"))
    assert space.reduce == (("a", "c"), ("a", "c"))


def test_another_part_may_fill_the_edges_that_a_part_leaves_out(write):
    """A part may list single edges only, if the union leaves none empty."""
    partial = write("partial", "num_nodes: 1\nedges: {normal: {0->2: [b]}}")
    assert load_space(f"{partial}+a").normal == (("b", "a"), ("a",))
    with pytest.raises(SearchSpaceError, match=r"edges.normal has nothing for 1->2; list it"):
        load_space(partial)


def test_plug_ins_are_united_in_order_each_once(write):
    """Plug-ins of all the parts are imported once; files are read from their space's folder."""
    first = write("first", "primitives: [a]\nplugins: [ops.py, my.module]")
    second = write("second", "primitives: [b]\nplugins: [my.module, other]")
    space = load_space(f"{first}+{second}")
    assert space.plugins == (str(first.parent / "ops.py"), "my.module", "other")


@pytest.mark.parametrize("name", ["", " ", "+", "darts+", "+darts", "darts++ir", "darts,ir", "a b"])
def test_an_empty_or_impossible_part_is_refused(name):
    """A part that can be neither a file nor an operator is an error that lists the spaces."""
    with pytest.raises(SearchSpaceError) as error:
        load_space(name)
    message = str(error.value)
    assert repr(name) in message
    assert "neither a space nor the name of an operator" in message
    assert "darts" in message.split(";")[1]


def test_a_mistyped_part_is_answered_with_close_matches():
    """A typing error that cannot be an operator is answered with the near spaces."""
    with pytest.raises(SearchSpaceError, match=r"did you mean 'sandglass'\?"):
        load_space("darts+sand-glass")
