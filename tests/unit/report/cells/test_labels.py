import pytest

from nas.errors import GenotypeError
from nas.genotype import Genotype
from nas.primitives import BUILT_IN
from nas.report.cells.labels import MAX_LENGTH, describe, distinct, escaped, printable


def _genotype(name: str, **details) -> Genotype:
    return Genotype(
        normal=(((name, 0),),),
        normal_concat=(2,),
        reduce=((("skip_connect", 0),),),
        reduce_concat=(2,),
        **details,
    )


def test_description_in_genotype_comes_first():
    """The label of genotype.json wins over the built-in one."""
    operators = {"sep_conv_3x3": {"label": "mine", "family": "other"}}
    found = describe(_genotype("sep_conv_3x3", operators=operators), "sep_conv_3x3")
    assert (found.label, found.family) == ("mine", "other")


def test_built_in_description_serves_a_published_genotype():
    """A genotype without descriptions gets those of the built-in primitives."""
    assert describe(_genotype("sep_conv_3x3"), "sep_conv_3x3") is BUILT_IN["sep_conv_3x3"]


def test_unknown_primitive_names_close_matches_and_where_descriptions_are():
    """An unknown primitive is an error that says what is near and what to give instead."""
    with pytest.raises(
        GenotypeError, match="'sandglas_3x3'; did you mean 'sandglass_3x3'"
    ) as error:
        describe(_genotype("sandglas_3x3"), "sandglas_3x3")
    assert "genotype.json of its search" in str(error.value)


def test_long_text_is_cut():
    """A label longer than the limit ends in dots at the limit, and one at the limit is whole."""
    assert printable("x" * 500) == "x" * (MAX_LENGTH - 3) + "..."
    assert printable("x" * MAX_LENGTH) == "x" * MAX_LENGTH


@pytest.mark.parametrize("character", ["\n", "\0", "\x1b", "\ud800", "\u202e", "\ufffe"])
def test_what_is_not_printable_is_replaced(character):
    """Control characters, lone surrogates and direction marks become a question mark."""
    assert printable(f"a{character}b") == "a?b"


def test_markup_and_backslashes_are_escaped():
    """Markup becomes character references, and a backslash is doubled."""
    assert escaped('<b>"&\\N') == "&lt;b&gt;&quot;&amp;\\\\N"


def test_distinct_keeps_what_is_different():
    """A cut keeps the ends where the beginnings are equal, then numbers; equal texts stay equal."""
    assert distinct(["a", "b"], 8) == ["a", "b"]
    assert distinct(["abcdefghij1", "abcdefghij2"], 8) == ["abc...j1", "abc...j2"]
    assert distinct(["abcdefghijklm", "abcdXghijklmn", "z"], 8)[2] == "z"
    assert distinct(["aaaaaaaaaXaaaaaaaa", "aaaaaaaaaYaaaaaaaa"], 9) == ["aa... (0)", "aa... (1)"]
    assert distinct(["same", "same"], 3) == distinct(["same"], 3) * 2
