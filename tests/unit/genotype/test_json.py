"""genotype.json: written and read back, versioned, and strict."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import GenotypeError
from nas.genotype import Genotype, load_genotype
from tests.unit.genotype.strategies import JSON_VALUES, genotypes


def document(**changes):
    """Return a whole document, changed; a change to None takes the key out."""
    whole = {**json.loads(load_genotype("DARTS_V2").to_json()), **changes}
    return json.dumps({key: value for key, value in whole.items() if value is not None})


def refused(text):
    with pytest.raises(GenotypeError) as error:
        Genotype.from_json(text, "here.json")
    message = str(error.value)
    assert message.startswith("here.json: ")
    assert "\n" not in message
    assert len(message) < 2000
    return message


@settings(max_examples=100, deadline=None)
@given(genotypes())
def test_json_round_trip(genotype):
    """What is written is read back equal, the details included."""
    text = genotype.to_json()
    again = Genotype.from_json(text)
    assert again == genotype
    assert (again.operators, again.space, again.search) == (
        genotype.operators,
        genotype.space,
        genotype.search,
    )
    assert again.to_json() == text


def test_the_document_is_versioned_and_one_key_a_line():
    """A reader finds the format, the version and one line for each key."""
    text = load_genotype("DARTS_V2").to_json()
    whole = json.loads(text)
    assert whole["format"] == "sandglass-nas genotype"
    assert whole["version"] == 1
    assert len(text.splitlines()) == len(whole) + 2
    assert text.endswith("}\n")


def test_a_document_cut_anywhere_is_refused():
    """A file cut short at any place says that it was cut short, and is never half a genotype."""
    details = {"search": {"seed": 3}, "space": {"name": "\u00e4"}}
    cell = ((("a", 0), ("b", 1)),)
    text = Genotype(cell, (2,), cell, (2,), **details).to_json().rstrip()
    assert Genotype.from_json(text).search == {"seed": 3}
    for length in range(len(text)):
        assert "was the file cut short?" in refused(text[:length])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[]", ['expected a JSON object with "format"']),
        ("3", ['expected a JSON object with "format"']),
        ("{}", ['expected a JSON object with "format"']),
        ('"Genotype()"', ['expected a JSON object with "format"']),
        (document(format="other"), ['"format": "sandglass-nas genotype"']),
        (document(format=None), ['"format": "sandglass-nas genotype"']),
        (document(version=2), ["version 2; this release reads version 1"]),
        (document(version="1"), ["version '1'; this release reads version 1"]),
        (document(version=True), ["version True; this release reads version 1"]),
        (document(version=1.0), ["version 1.0; this release reads version 1"]),
        (document(version=None), ["version None"]),
        (document(normal=None), ["without normal"]),
        (document(normal_concat=None, reduce=None), ["without normal_concat, reduce"]),
        (document(spaces={}), ["unknown key 'spaces'", "did you mean 'space'?"]),
        (document(normal=3), ["normal: expected a list"]),
        (document(normal={"a": 0}), ["normal: expected a list"]),
        (document(normal=[[["a", 2]]] * 4), ["normal: node 2 cannot read node 2"]),
        (document(normal=[[["a", 0.5]]] * 4), ["normal: node 2 cannot read node 0.5"]),
        (document(normal=[[["a", 0]]] * 17), ["normal: expected a list of 1 to 16 nodes"]),
        (document(reduce=[[]]), ["reduce: node 2: expected (primitive, source) pairs, found []"]),
        (document(reduce_concat=[9]), ["reduce_concat: there is no node 9; nodes: 0 to 5"]),
        (document(reduce_concat=[2, 2]), ["reduce_concat: node 2 is there twice"]),
        (document(reduce_concat=[]), ["reduce_concat: expected a list of nodes"]),
        (document(search=[]), ["search: expected an object, found []"]),
        (document(space="darts"), ["space: expected an object, found 'darts'"]),
        (document(operators={"a": 1}), ["operators.a: expected a label and a family"]),
        (document(operators={"a": {"label": "a"}}), ["operators.a: expected a label"]),
        (document(search={"loss": math.nan}), ["NaN is not a finite number"]),
        (document(search={"loss": -math.inf}), ["-Infinity is not a finite number"]),
        (document(search={"loss": 0.5}).replace("0.5", "1e400"), ["1e400 is not a finite"]),
        ('{"normal": 1, "normal": 2}', ["the key 'normal' is there twice"]),
        ("[" * 100_000, ["was the file cut short?"]),
        ('{"a": ' * 50_000, ["was the file cut short?"]),
        ("9" * 5000, ["not a whole JSON document"]),
        ("\ufeff{}", ["not a whole JSON document"]),
        ("{'format': 1}", ["not a whole JSON document"]),
        ("x" * (1 << 20) + "x", ["1048577 characters; a genotype is under 1048576"]),
    ],
)
def test_what_is_no_genotype_is_refused(text, parts):
    """Each fault is one short line: the file, the key, what was found, what is allowed."""
    message = refused(text)
    for part in parts:
        assert part in message


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_cannot_say_are_not_written(number):
    """Alphas that are not finite are an error where they are written, not where they are read."""
    cell = ((("a", 0),),)
    genotype = Genotype(cell, (2,), cell, (2,), search={"alphas": {"normal": [[0.0, number]]}})
    with pytest.raises(GenotypeError, match="search: cannot be written as JSON"):
        genotype.to_json()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_document_raises_anything_but_a_genotype_error(data):
    """A document with any value in any place is a genotype or a GenotypeError."""
    whole = json.loads(document())
    key = data.draw(st.sampled_from([*whole, "operators", "space", "search", "other"]))
    whole[key] = data.draw(JSON_VALUES | st.lists(st.lists(JSON_VALUES)))
    try:
        genotype = Genotype.from_json(json.dumps(whole))
    except GenotypeError:
        return
    assert Genotype.from_json(genotype.to_json()) == genotype


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=50) | st.text(alphabet='{}[]",:0eE-. \\u"ntr', max_size=50))
def test_no_text_raises_anything_but_a_genotype_error(text):
    """Text that is no document is a GenotypeError, whatever it is."""
    with pytest.raises(GenotypeError):
        Genotype.from_json(text)
