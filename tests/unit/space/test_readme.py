"""The README of the search spaces says what is so."""

import re

import pytest

from nas.errors import SearchSpaceError
from nas.space import ChainSpace, cell_files, chain_files, list_spaces, load_space
from tests.unit.space.test_files import SPACES_DIR

README = (SPACES_DIR / "README.md").read_text(encoding="utf-8")


def test_the_example_of_an_own_space_loads(tmp_path):
    """The example is a complete file that means what its description says."""
    example, _ = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "my_space.yaml"
    path.write_text(example, encoding="utf-8")
    space = load_space(path)
    assert (space.name, space.num_nodes, space.num_edges) == ("my_space", 3, 9)
    assert "max_pool_3x3" not in space.normal[0] + space.normal[1]
    assert space.reduce == (space.primitives[:5],) * 9
    assert space.primitives[5:] == ("dil_conv_3x3",)


def test_the_example_of_a_chain_loads(tmp_path):
    """The second example is a complete file."""
    _, example = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "mine.yaml"
    path.write_text(example, encoding="utf-8")
    space = load_space(path)
    assert (space.name, len(space.candidates), len(space.layers)) == ("my_chain", 8, 5)


def test_the_tables_of_spaces_are_complete_and_right():
    """Every shipped space has a row with its primitives, or of a chain the number of networks."""
    cells = README.split("## An own space")[0]
    chains = README.split("## Chains")[1].split("```yaml")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (\d|-) \|", cells, re.MULTILINE)
    for name, primitives, num_nodes in rows:
        space = load_space(name)
        if name != "mixed_edges":
            assert tuple(primitives.split(", ")) == space.primitives
        assert num_nodes in ("-", str(space.num_nodes))
    numbers = re.findall(r"^\| `(\w+)` \| .+? \| ([\d,]+) \|", chains, re.MULTILINE)
    for name, number in numbers:
        space = load_space(name)
        assert isinstance(space, ChainSpace)
        assert number == f"{space.num_networks:,}"
    assert sorted(row[0] for row in rows + numbers) == list_spaces()


def test_the_tables_of_keys_are_complete():
    """Every key of a space file is described, and no other."""
    cells = README.split("## Keys")[1].split("## Unions")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", cells, re.MULTILINE)) == cell_files.KEYS
    chains = README.split("| key | type |")[2].split("**Blocks.**")[0]
    rows = re.findall(r"^\| (`[^|]+`) \|", chains, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"\w+", row)} == set(chain_files.KEYS)


@pytest.mark.parametrize(
    "text",
    [
        "primitive: [a]",
        "num_nodes: '4'\nprimitives: [a]",
        "num_nodes: 4\nprimitives: [a]\nnum_nodes: 4",
        "family: chain\nimage_size: 32\nstem: {width: 8}\ncandidates: [{block: fig4a, ratio: 6}]\n"
        f"depths: [1]\nstages: [{', '.join(['{width: 8, stride: 2}'] * 5)}]",
    ],
)
def test_the_errors_that_the_readme_shows_are_those_that_a_user_sees(tmp_path, text):
    """The messages of the README are real ones."""
    (shown,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "my_space.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SearchSpaceError) as error:
        load_space(path)
    assert str(error.value).replace(str(path), path.name) in shown.splitlines()
