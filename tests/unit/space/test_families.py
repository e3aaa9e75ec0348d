"""The table of families: every part of every entry exists."""

import dataclasses

import pytest

from nas.errors import SearchSpaceError
from nas.space import FAMILIES, CellFamily, get_cell_family, get_family, load_space


def parts_of(family):
    values = ((field.name, getattr(family, field.name)) for field in dataclasses.fields(family))
    return [name for name, value in values if isinstance(value, str) and value.startswith("nas.")]


@pytest.mark.parametrize(
    ("name", "part"),
    [(name, part) for name, family in FAMILIES.items() for part in parts_of(family)],
)
def test_every_part_can_be_imported(name, part):
    assert callable(get_family(name).load(part))


def test_the_parts_are_all_there():
    """Of cells and of chains."""
    of_all = {"read", "search", "decode", "network", "draw"}
    for family in FAMILIES.values():
        of_cells = {"supernet", "random", "sizes"} if isinstance(family, CellFamily) else set()
        assert set(parts_of(family)) == of_all | of_cells


def test_an_unknown_family_is_named_with_close_matches():
    with pytest.raises(SearchSpaceError, match="family: unknown family 'cel'; did you mean 'cell'"):
        get_family("cel")


def test_a_chain_has_no_cells():
    with pytest.raises(SearchSpaceError, match="found chain, which has no cells; expected cell or"):
        get_cell_family("chain")


def test_a_space_file_says_its_family(tmp_path):
    """`cell` unless it says another; the parts of a union agree."""
    path = tmp_path / "space.yaml"
    path.write_text("family: cell\nprimitives: [skip_connect]\n")
    assert load_space(path).family == load_space("darts").family == "cell"
    path.write_text("family: tree\nprimitives: [skip_connect]\n")
    with pytest.raises(SearchSpaceError, match=rf"{path}: family: unknown family 'tree'"):
        load_space(path)
