"""The table of families: every part of every entry exists."""

import dataclasses

import pytest

from nas.errors import SearchSpaceError
from nas.space import FAMILIES, Family, get_family, load_space

PARTS = [
    field.name
    for field in dataclasses.fields(Family)
    if ":" in str(getattr(FAMILIES["cell"], field.name))
    and isinstance(getattr(FAMILIES["cell"], field.name), str)
]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("part", PARTS)
def test_every_part_can_be_imported(name, part):
    assert callable(get_family(name).load(part))


def test_the_parts_are_all_there():
    assert {"supernet", "decode", "network", "draw", "random", "sizes"} == set(PARTS)


def test_an_unknown_family_is_named_with_close_matches():
    with pytest.raises(SearchSpaceError, match="family: unknown family 'cel'; did you mean 'cell'"):
        get_family("cel")


def test_a_space_file_says_its_family(tmp_path):
    """`cell` unless it says another; the parts of a union agree."""
    path = tmp_path / "space.yaml"
    path.write_text("family: cell\nprimitives: [skip_connect]\n")
    assert load_space(path).family == load_space("darts").family == "cell"
    path.write_text("family: chain\nprimitives: [skip_connect]\n")
    with pytest.raises(SearchSpaceError, match=rf"{path}: family: unknown family 'chain'"):
        load_space(path)
