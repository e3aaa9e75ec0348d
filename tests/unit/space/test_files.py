"""Space files: those that ship, and every way to get one wrong."""

import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nas.errors import NasError, SearchSpaceError
from nas.primitives import BUILT_IN, OPERATOR_FAMILIES
from nas.space import SearchSpace, list_spaces, load_space
from nas.strict_yaml import MAX_BYTES

SPACES_DIR = Path(__file__).parents[3] / "search_spaces"


@pytest.fixture
def write(tmp_path):
    """Write a space file and return its path."""

    def write(content):
        path = tmp_path / "own.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refused(text):
    with pytest.raises(SearchSpaceError) as error:
        load_space(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 4000
    return str(error.value)


def test_the_shipped_spaces_are_those_of_the_folder():
    """`list_spaces` finds every file of search_spaces/."""
    assert list_spaces() == sorted(path.stem for path in SPACES_DIR.glob("*.yaml"))
    assert {"darts", "s2", "s3", "sandglass", "ir"} <= set(list_spaces())


CELLS = [name for name in list_spaces() if isinstance(load_space(name), SearchSpace)]


@pytest.mark.parametrize("name", CELLS)
def test_every_shipped_space_loads(name):
    """A shipped space is well formed, uses built-in operators only and runs no code."""
    space = load_space(name)
    assert space.name == name
    assert space.plugins == ()
    assert set(space.primitives) <= BUILT_IN.keys()
    for table in space.groups.values():
        assert len(table) == space.num_edges
        assert all(on_edge and set(on_edge) <= set(space.primitives) for on_edge in table)
    assert load_space(SPACES_DIR / f"{name}.yaml") == space


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_primitive_has_a_label_and_a_family(name):
    """The table that diagrams read is complete."""
    primitive = BUILT_IN[name]
    assert primitive.name == name
    assert primitive.label
    assert primitive.family in OPERATOR_FAMILIES


@pytest.mark.parametrize(
    ("text", "num_nodes", "num_edges"),
    [
        ("primitives: [a]", 4, 14),
        ("num_nodes: 1\nprimitives: [a]", 1, 2),
        ("num_nodes: 7\nprimitives: [a]", 7, 35),
        ("num_nodes: 16\nprimitives: [a]", 16, 152),
        ("num_nodes: ~\nprimitives: [a]", 4, 14),
        ("name: n\ndescription: d\nprimitives: [a]\nedges: {}\nplugins: []", 4, 14),
    ],
)
def test_the_keys_are_optional_but_for_a_primitive(write, text, num_nodes, num_edges):
    """A file needs one primitive; the number of nodes is free from 1 to 16."""
    space = load_space(write(text))
    assert (space.num_nodes, space.num_edges) == (num_nodes, num_edges)
    assert space.primitives == ("a",)


def test_the_name_of_a_space_is_that_of_its_file_unless_it_says_another(write):
    """`name:` wins over the file's name."""
    assert load_space(write("primitives: [a]")).name == "own"
    assert load_space(write("name: other\nprimitives: [a]")).name == "other"


def test_primitives_that_stand_only_on_edges_come_last(write):
    """P is the union: `primitives` in order, then those of the edges in order of appearance."""
    space = load_space(
        write(
            "num_nodes: 1\nprimitives: [b, a]\n"
            "edges:\n  normal: {0->2: [d, a]}\n  reduce: {1->2: [c, d]}\n"
        )
    )
    assert space.primitives == ("b", "a", "d", "c")
    assert space.normal == (("d", "a"), ("b", "a"))
    assert space.reduce == (("b", "a"), ("c", "d"))
    assert space.mask("normal") == ((False, True, True, False), (True, True, False, False))


def test_edges_alone_make_a_space(write):
    """`primitives` may be left out when every edge is listed."""
    both = "{0->2: [a], 1->2: [b]}"
    space = load_space(write(f"num_nodes: 1\nedges: {{normal: {both}, reduce: {both}}}"))
    assert space.normal == space.reduce == (("a",), ("b",))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["a mapping with the keys", "holds nothing"]),
        ("# only a comment\n", ["a mapping with the keys", "holds nothing"]),
        ("- a\n- b", ["a mapping with the keys", "holds a list"]),
        ("darts", ["a mapping with the keys", "holds text"]),
        ("42", ["a mapping with the keys", "holds 42"]),
        ("primitive: [a]", ["unknown key 'primitive'", "did you mean 'primitives'?"]),
        ("prims: 1\nzzz: 2", ["unknown key 'prims'", "primitives"]),
        ("num_steps: 4", ["unknown key 'num_steps'", "did you mean 'num_nodes'?"]),
        ("zzz: 1", ["unknown key 'zzz'", "known: description, edges, family, name, num_nodes"]),
        ("x" * 900 + ": 1", ["unknown key", "known: "]),
        ("num_nodes: 4", ["gives no primitives", "list them under `primitives:`"]),
        ("primitives: []", ["gives no primitives"]),
        ("edges: {normal: {}}", ["gives no primitives"]),
        ("primitives: a", ["primitives: expected a list, found text"]),
        ("primitives:", ["primitives: expected a list, found nothing"]),
        ("primitives: {a: 1}", ["primitives: expected a list, found a mapping"]),
        ("primitives: 3", ["primitives: expected a list, found 3"]),
        ("primitives: [a, 3]", ["primitives[1]: 3 is not the name", "letters, digits and _"]),
        ("primitives: [a, null]", ["primitives[1]: None is not the name of a primitive"]),
        ("primitives: [true]", ["primitives[0]: True is not the name of a primitive"]),
        ("primitives: [[a]]", ["primitives[0]: ['a'] is not the name of a primitive"]),
        ("primitives: ['a b']", ["primitives[0]: 'a b' is not the name of a primitive"]),
        ('primitives: ["a\\n"]', ["primitives[0]: 'a\\n' is not the name of a primitive"]),
        ("primitives: ['']", ["primitives[0]: '' is not the name of a primitive"]),
        ("primitives: ['\u00e4']", ["primitives[0]", "is not the name of a primitive"]),
        ("primitives: [__import__('os')]", ["primitives[0]", "is not the name of a primitive"]),
        ("primitives: [a, b, a]", ["primitives: 'a' is there twice; name it once"]),
        ("name: 3\nprimitives: [a]", ["name: expected text, found 3"]),
        ("name:\nprimitives: [a]", ["name: expected text, found nothing"]),
        ("description: [a]\nprimitives: [a]", ["description: expected text, found a list"]),
        ("plugins: mine\nprimitives: [a]", ["plugins: expected a list, found text"]),
        ("plugins: {a: 1}\nprimitives: [a]", ["plugins: expected a list, found a mapping"]),
        ("plugins: [3]\nprimitives: [a]", ["plugins: expected the name of a module", "found 3"]),
        ("plugins: ['']\nprimitives: [a]", ["plugins: expected the name of a module", "found ''"]),
        ("edges: [a]\nprimitives: [a]", ["edges: expected a mapping", "found a list"]),
        ("edges:\nprimitives: [a]", ["edges: expected a mapping", "found nothing"]),
        ("edges: {norm: {}}\nprimitives: [a]", ["`normal:` and `reduce:`", "found 'norm'"]),
        ("edges: {normal: [a]}\nprimitives: [a]", ["found 'normal': a list"]),
        ("edges: {normal: }\nprimitives: [a]", ["found 'normal': nothing"]),
        ("edges: {normal: {0->2: []}}", ["edges.normal.0->2: an edge needs at least one"]),
        ("edges: {normal: {0->2: a}}", ["edges.normal.0->2: expected a list, found text"]),
        ("edges: {reduce: {0->2: [a, 3]}}", ["edges.reduce.0->2[1]: 3 is not the name"]),
        ("edges: {normal: {0->2: [a, a]}}", ["edges.normal.0->2: 'a' is there twice"]),
        ("edges: {normal: {0->2: [a]}}", ["edges.normal has nothing for 1->2", "primitives:"]),
        ("primitives: [a", ["line 1: not valid YAML"]),
        ("primitives:\n- a\n b: c", ["line 3: not valid YAML"]),
        ("primitives: &p [a]\nedges: {normal: {0->2: *p}}", ["line 2", "aliases", "write the"]),
        (
            "num_nodes: 4\nprimitives: [a]\nnum_nodes: 5",
            ["line 3", "'num_nodes' is there twice"],
        ),
        ("1: a", ["line 1", "keys must be plain words, found 1"]),
        (b"primitives: [\xe4]", ["cannot be read: is not UTF-8 text"]),
        (b"\x89PNG\r\n\x1a\n\x00", ["cannot be read: is not UTF-8 text"]),
        (b"primitives: [a\x00]", ["not valid YAML: unacceptable character"]),
        (b"#" * (MAX_BYTES + 1), [f"larger than {MAX_BYTES} bytes"]),
    ],
)
def test_a_malformed_file_says_where_and_what(write, text, parts):
    """Each fault is one line: the file and key, what was found, what is allowed."""
    path = write(text)
    message = refused(path)
    assert message.startswith(f"{path}: ")
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    "value", ["0", "17", "-1", "true", "'4'", "4.0", "[4]", "{a: 4}", "2024-01-01", ".nan", "1e9"]
)
def test_num_nodes_is_a_whole_number_from_1_to_16(write, value):
    """Nothing else is taken for a number of nodes, not even true or a number in quotes."""
    path = write(f"num_nodes: {value}\nprimitives: [a]")
    message = refused(path)
    assert f"{path}: num_nodes: expected a whole number from 1 to 16" in message
    assert "found " in message


@pytest.mark.parametrize("edge", ["2->2", "3->2", "0->6", "0->1", "0 -> 2", "0>2", "a", "-1->2"])
def test_an_edge_that_is_not_in_the_cell_is_refused(write, edge):
    """The message names the edge and lists those of the cell."""
    message = refused(write(f"num_nodes: 4\nprimitives: [a]\nedges: {{normal: {{{edge}: [a]}}}}"))
    assert f"edges.normal: there is no edge {edge!r} in a cell of 4 intermediate nodes" in message
    assert "edges: 0->2, 1->2, 0->3" in message


@pytest.mark.parametrize(
    "name", ["missing.yaml", "missing.yml", "no/such/file", "darts.yaml", "/", ".\\a", "/dev/null"]
)
def test_a_missing_file_is_answered_with_the_names_that_exist(name):
    """A path without a file is never taken for the name of an operator."""
    message = refused(name)
    assert repr(name) in message
    assert "there is no file" in message
    assert "darts" in message and "sandglass" in message


def test_a_directory_in_place_of_a_file_is_refused(tmp_path):
    """A directory is no space, even if it is named like one."""
    (tmp_path / "own.yaml").mkdir()
    assert "there is no file" in refused(tmp_path / "own.yaml")
    assert "there is no file" in refused(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_file_without_the_right_to_read_is_refused(write):
    """What the system refuses is an error of the user, with the system's reason."""
    path = write("primitives: [a]")
    path.chmod(0)
    assert "Permission denied" in refused(path)


@pytest.mark.parametrize("name", ["x" * 300 + ".yaml", "a/" * 3000, "a\0b.yaml", "\ud800.yaml"])
def test_what_cannot_be_a_path_is_a_missing_file(name):
    """Text that the operating system refuses as a path raises nothing of the system."""
    assert "there is no file" in refused(name)


def test_long_unions_and_long_names_are_read():
    """A union longer than a path may be is a union all the same."""
    assert load_space("+".join(["s2"] * 500)).primitives == load_space("s2").primitives
    assert load_space("x" * 5000).primitives == ("x" * 5000,)


def test_many_primitives_are_checked_in_a_moment(write):
    """The time to check a file grows with its size, not with the square of it."""
    path = write("primitives: [" + ", ".join(f"p{i}" for i in range(5000)) + "]")
    start_s = time.process_time()
    assert len(load_space(path).primitives) == 5000
    assert time.process_time() - start_s < 3


PIECES = st.sampled_from(
    ["name: a\n", "num_nodes: 4\n", "num_nodes: ", "primitives: [a, b]\n", "primitives:", "- a\n"]
    + ["edges:\n", "  normal:\n", "  reduce: ", "    0->2: [a]\n", "0->9", "plugins: [x]\n"]
    + ["[", "]", "{", "}", ": ", ", ", "&a", "*a", "!t ", "'", '"', "\n", "\t", "~", "1", "|", "?"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES | st.text(max_size=4), max_size=12).map("".join))
@example("primitives: [a]\nedges: {normal: {? [0] : [a]}}")
def test_no_file_raises_anything_but_an_error_of_the_project(tmp_path_factory, text):
    """Whatever stands in a space file, it is a space or a SearchSpaceError, in a moment."""
    path = tmp_path_factory.mktemp("fuzz") / "space.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    start_s = time.process_time()
    try:
        assert load_space(path).primitives
    except NasError as error:
        assert type(error) is SearchSpaceError
        assert str(error).startswith(str(path))
    assert time.process_time() - start_s < 1


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="ab+./\\~\0 *", max_size=20))
def test_no_name_raises_anything_but_an_error_of_the_project(text):
    """Whatever is given as a space, it is a space or a SearchSpaceError."""
    try:
        space = load_space(text)
    except NasError as error:
        assert type(error) is SearchSpaceError
    else:
        assert all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in space.primitives)
