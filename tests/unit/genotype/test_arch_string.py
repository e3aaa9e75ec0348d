"""The string of NAS-Bench-201, read and written; tests/golden has those of the benchmark."""

import pytest

from nas.errors import GenotypeError
from nas.genotype import Genotype, load_genotype
from nas.genotype.arch_string import MAX_LENGTH, arch_string

TEXT = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"


def test_it_is_read_wherever_a_genotype_is(tmp_path):
    """As text, from a file, from genotype.json and from the record of an epoch."""
    genotype = load_genotype(TEXT)
    assert (genotype.family, genotype.normal_concat, genotype.reduce) == ("nasbench201", (3,), ())
    assert genotype.normal[2] == (("skip_connect", 0), ("none", 1), ("plain_avg_pool_3x3", 2))
    for name, content in (("cell.txt", f" {TEXT}\n"), ("genotype.json", genotype.to_json())):
        (tmp_path / name).write_text(content)
        assert load_genotype(tmp_path / name) == genotype
    assert Genotype(**genotype.cells()) == genotype
    assert genotype.to_text() == arch_string(genotype.normal) == TEXT


def test_the_pooling_of_darts_has_another_name_than_that_of_the_benchmark():
    """Both can be in a user's space, and they are two operators in a search."""
    names = ("avg_pool_3x3", "plain_avg_pool_3x3")
    cells = [Genotype((((name, 0),),), family="nasbench201") for name in names]
    texts = [cell.to_text() for cell in cells]
    assert texts == ["|darts_avg_pool_3x3~0|", "|avg_pool_3x3~0|"]
    assert [load_genotype(text) for text in texts] == cells


def test_cells_of_other_sizes_are_read():
    """A user's space may have any number of nodes."""
    text = "|a~0|+|b~0|c~1|"
    assert load_genotype(text).to_text() == text
    assert load_genotype("|a~0|").normal_concat == (1,)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("|a~0", ["genotype: node 1: expected |operator~source|...|", "found '|a~0'"]),
        ("|a~0|b~1|", ["node 1: found 2 operators; it has one from each of the 1 earlier"]),
        ("|a~0|+|b~0|", ["node 2: found 1 operators", "2 earlier"]),
        ("|a~0|+|b~0|c~0|", ["node 2: expected operator~1, found 'c~0'"]),
        ("|a~0|+|b~1|c~0|", ["node 2: expected operator~0, found 'b~1'"]),
        ("|a|", ["node 1: expected operator~0, found 'a'"]),
        ("|a b~0|", ["node 1: 'a b' is not the name of an operator"]),
        ("||", ["node 1: expected |operator~source|"]),
        ("|a~0|++|b~0|c~1|", ["node 2: expected |operator~source|"]),
        ("+".join(["|a~0|"] * 17), ["17 nodes after the input; a cell has at most 16"]),
        ("|" + "a" * MAX_LENGTH, ["a cell has under"]),
    ],
)
def test_anything_else_is_one_clear_line(text, parts):
    with pytest.raises(GenotypeError) as error:
        load_genotype(text)
    assert "\n" not in str(error.value)
    assert all(part in str(error.value) for part in parts), str(error.value)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"normal": [[("a", 0)], [("b", 0)]]}, "normal: node 2: expected an operator from each"),
        ({"normal": [[("a", 1)]]}, "normal: node 1 cannot read node 1"),
        (
            {"normal": [[("a", 0)]], "reduce": [[("a", 0)]]},
            "reduce: family nasbench201 does not have",
        ),
        ({"normal": [[("a", 0)]], "normal_concat": [2]}, "normal_concat: there is no node 2"),
    ],
)
def test_a_genotype_of_the_family_has_every_edge_once(cells, message):
    with pytest.raises(GenotypeError, match=message):
        Genotype(**cells, family="nasbench201")


def test_an_unknown_family_in_a_file_is_refused():
    text = load_genotype(TEXT).to_json().replace('"nasbench201"', '"nasbench202"')
    with pytest.raises(GenotypeError, match="did you mean 'nasbench201'"):
        Genotype.from_json(text)
