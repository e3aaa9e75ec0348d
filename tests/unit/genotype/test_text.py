"""The text forms of DARTS codes: parsed, never evaluated."""

import builtins
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import GenotypeError
from nas.genotype import Genotype, load_genotype, published_genotypes
from tests.unit.genotype.strategies import genotypes

FLAT = "[('sep_conv_3x3', 0), ('skip_connect', 1), ('none', 2), ('a', 0)]"
NESTED = "[[('sep_conv_3x3', 0), ('skip_connect', 1)], [('none', 2), ('a', 0)]]"
CELL = ((("sep_conv_3x3", 0), ("skip_connect", 1)), (("none", 2), ("a", 0)))
RANGE = "range(2, 4)"


def text_of(normal=FLAT, normal_concat=RANGE, reduce=FLAT, reduce_concat=RANGE):
    return (
        f"Genotype(normal={normal}, normal_concat={normal_concat}, "
        f"reduce={reduce}, reduce_concat={reduce_concat})"
    )


def refused(text):
    start_s = time.process_time()
    with pytest.raises(GenotypeError) as error:
        Genotype.from_text(text, "here")
    assert time.process_time() - start_s < 1
    message = str(error.value)
    assert message.startswith("here: ")
    assert "\n" not in message
    assert len(message) < 600
    return message


@pytest.mark.parametrize("cell", [FLAT, NESTED, NESTED.replace("[", "(").replace("]", ")")])
@pytest.mark.parametrize("concat", [RANGE, "[2, 3]", "(2, 3)", "range(0x2, 4)"])
def test_flat_and_nested_cells_are_the_same(cell, concat):
    """quark0's flat lists, pt.darts' nested ones, lists, tuples and ranges say the same."""
    genotype = Genotype.from_text(text_of(cell, concat, NESTED, RANGE))
    assert genotype == Genotype(CELL, (2, 3), CELL, (2, 3))


@pytest.mark.parametrize(
    ("concat", "expected"),
    [("[3, 2]", (3, 2)), ("(3,)", (3,)), ("range(0, 4)", (0, 1, 2, 3)), ("[0, 3]", (0, 3))],
)
def test_any_concatenation_is_read_in_its_order(concat, expected):
    """Concatenations may skip nodes and differ between the cells."""
    genotype = Genotype.from_text(text_of(reduce_concat=concat))
    assert (genotype.normal_concat, genotype.reduce_concat) == ((2, 3), expected)


@pytest.mark.parametrize(
    "text",
    [
        "Genotype(reduce=R, reduce_concat=C, normal=R, normal_concat=C)",
        "\n  Genotype(\n  normal=R,\n  normal_concat=C,\n  reduce=R,\n  reduce_concat=C,\n)\n",
        "Genotype(normal=R, normal_concat=C, reduce=R, reduce_concat=C)  # a comment",
        "Genotype(normal=R,normal_concat=C,reduce=R,reduce_concat=C)",
    ],
)
def test_order_of_keywords_white_space_and_comments_do_not_matter(text):
    """The text may be laid out as its author likes."""
    text = text.replace("R", FLAT).replace("C", RANGE)
    assert Genotype.from_text(text) == Genotype(CELL, (2, 3), CELL, (2, 3))


def test_cells_may_have_one_or_three_inputs_a_node_when_nested():
    """Only the flat form supposes two inputs a node."""
    genotype = Genotype.from_text(
        text_of("[[('a', 0)], [('b', 0), ('c', 1), ('d', 2)]]", reduce="[[['a', 0]]]").replace(
            RANGE, "[2]"
        )
    )
    assert [len(node) for node in genotype.normal] == [1, 3]


@settings(max_examples=100, deadline=None)
@given(genotypes(inputs_a_node=st.just(2)))
def test_text_round_trip(genotype):
    """Two inputs a node: the text form says the whole of both cells."""
    text = genotype.to_text()
    assert "\n" not in text
    assert Genotype.from_text(text) == genotype


@pytest.mark.parametrize("name", published_genotypes())
def test_published_texts_are_written_as_they_were_published(name):
    """`to_text` writes the flat form with ranges, as the DARTS code prints it."""
    genotype = load_genotype(name)
    nested = any(len(node) != 2 for cell in (genotype.normal, genotype.reduce) for node in cell)
    text = genotype.to_text(nested=nested)
    assert text.startswith("Genotype(normal=[[('" if nested else "Genotype(normal=[('")
    assert text.endswith("reduce_concat=range(2, 6))")
    assert load_genotype(text) == load_genotype(name)


@settings(max_examples=50, deadline=None)
@given(genotypes())
def test_what_the_text_form_cannot_say_is_not_written(genotype):
    """A node with one or three inputs has no text form; the error says to use JSON."""
    if all(len(node) == 2 for cell in (genotype.normal, genotype.reduce) for node in cell):
        assert Genotype.from_text(genotype.to_text()) == genotype
    else:
        with pytest.raises(GenotypeError, match="two inputs per node; use JSON"):
            genotype.to_text()


HOSTILE = [
    "print('evaluated')",
    "open('evaluated', 'w')",
    "__import__('os').system('touch evaluated')",
    "().__class__.__bases__[0].__subclasses__()",
    "exec('x')",
    "range",
    "PRIMITIVES",
    "genotypes.DARTS_V2",
    "[x for x in (1,)]",
    "[('a', 0) for _ in range(10**9)]",
    "{x for x in ()}",
    "(x for x in ())",
    "{'a': 0}",
    "{1, 2}",
    "f'{print(1)}'",
    "f'a'",
    "lambda: 0",
    "(x := 1)",
    "[*range(2, 4)]",
    "a if b else c",
    "not 1",
    "-1",
    "1 + 1",
    "9 ** 9 ** 9",
    "'a' * 10**9",
    "1 < 2",
    "a and b",
    "await x",
    "yield x",
    "x[0]",
    "[1, 2][0]",
    "b'a'",
    "1.5",
    "1j",
    "True",
    "None",
    "...",
    "range(0, 4, 0)",
    "range(2, 4, 1, 1)",
    "a.b.range(2, 4)",
    "eval('range(2, 4)')",
    "np.load([2, 3])",
    "list(list)",
    "array([2, 3], dtype=int64, copy=x)",
    "np.int64('2')",
    "range(0, 10**9)",
    "range(0, 1000000000)",
    "range(0, 0x" + "f" * 6000 + ")",
    "range(-1, 4)",
    "range(4, 2)",
    "range(stop=4)",
    "range(2, stop=4)",
    "range(*[2, 4])",
    "range('2', '4')",
    "range([2], 4)",
    "range(2, range(2, 4))",
    "range(2.0, 4)",
    "range.__call__(2, 4)",
    "(range)(2, 4)(0)",
    "Genotype(normal=1)",
]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("field", ["normal", "normal_concat", "reduce_concat"])
def test_nothing_is_evaluated(hostile, field, tmp_path, monkeypatch):
    """Anything but plain values, ranges and what wraps them is refused unevaluated."""
    monkeypatch.chdir(tmp_path)
    for name in ("eval", "exec"):
        monkeypatch.setattr(builtins, name, None)
    refused(text_of(**{field: hostile}))
    refused(text_of(**{field: f"[{hostile}]"}))
    refused(text_of(**{field: f"[('a', {hostile})]"}))
    refused(text_of(**{field: f"[({hostile}, 0)]"}))
    refused(hostile)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Genotype()", "without normal, normal_concat, reduce, reduce_concat"),
        ("Genotype", "expected Genotype(normal="),
        ("genotype(normal=1)", "expected Genotype(normal="),
        ("a.Genotype(normal=1)", "expected Genotype(normal="),
        ("Genotype(normal=[])(1)", "expected Genotype(normal="),
        ("Genotype([], [], [], [])", "normal: expected a list of 1 to 16 nodes"),
        ("Genotype(*x)", "expected Genotype(normal="),
        ("Genotype(**x)", "unexpected keyword '**'"),
        ("Genotype(normal=[], **{'reduce': []})", "unexpected keyword '**'"),
        (text_of()[:-1] + ", steps=4)", "unexpected keyword 'steps'"),
        (text_of()[:-1] + ", normal=[])", "unexpected keyword 'normal'"),
        (text_of(normal="[]"), "normal: expected a list of 1 to 16 nodes"),
        (text_of(normal="'a'"), "normal: expected a list of ('primitive', source) pairs"),
        (text_of(normal="[1]"), "normal: expected a list of ('primitive', source) pairs"),
        (
            text_of(normal="[('a', 0)]"),
            "normal: a flat list has two pairs per node; this one has 1",
        ),
        (text_of(normal="[('a', 0), [('b', 1)]]"), "normal: node 2"),
        (text_of(normal="[('a', 0), ('a', 9)]"), "normal: node 2 cannot read node 9"),
        (text_of(normal="[('a', 0), ('a/b', 1)]"), "normal: node 2: 'a/b' is not the name"),
        (text_of(normal="[('a', 0), ('a', 0x" + "f" * 6000 + ")]"), "a number of 24000 bits"),
        (text_of(normal="[('a', 0), ('a', " + "9" * 5000 + ")]"), "cannot be parsed"),
        (text_of(normal_concat="range(2, 9)"), "normal_concat: there is no node 4; nodes: 0 to 3"),
        (text_of(normal_concat="[2, 2]"), "normal_concat: node 2 is there twice"),
        (text_of(normal_concat="range(2, 2)"), "normal_concat: expected a list of nodes"),
        (text_of(normal_concat="[]"), "normal_concat: expected a list of nodes"),
        (text_of(normal_concat="2"), "normal_concat: expected a list of nodes"),
        ("", "cannot be parsed"),
        (" ", "cannot be parsed"),
        ("\0", "cannot be parsed"),
        (text_of(normal="['a\0', 0]"), "cannot be parsed"),
        (text_of(normal="['\ud800', 0]"), "cannot be parsed"),
        (text_of(normal="[('\u00e9', 0), ('a', 1)]"), "is not the name of a primitive"),
        (text_of(normal="[('\U0001f600', 0), ('a', 1)]"), "is not the name of a primitive"),
        ("\u202eGenotype()", "without normal"),
        (text_of()[:-1], "cannot be parsed"),
        ("Genotype(" * 17, "nested more than 16 brackets deep"),
        (text_of(normal="[" * 50 + "]" * 50), "nested more than 16 brackets deep"),
        ("(" * 30_000 + ")" * 30_000, "nested more than 16 brackets deep"),
        ("-" * 60_000 + "1", "here: "),
        ("not " * 15_000 + "1", "here: "),
        ("a" + ".b" * 30_000, "here: "),
        ("1" + "+1" * 30_000, "here: "),
        ("lambda:" * 9_000 + "1", "here: "),
        ("a if b else " * 5_000 + "c", "here: "),
        ("x" * (1 << 16) + "x", "at most 65536 bytes"),
        ("\u00e9" * 40_000, "at most 65536 bytes"),
        (text_of(normal="[" + "('a', 0), " * 2_000 + "]"), "expected a list of 1 to 16 nodes"),
    ],
)
def test_every_other_text_is_refused(text, found):
    """Each fault is one short line that says what is expected."""
    assert found in refused(text)


PIECES = st.sampled_from(
    [text_of(), text_of(NESTED), "Genotype(", "normal=", "reduce=", FLAT, NESTED, RANGE]
    + ["normal_concat=", "reduce_concat=", "[", "]", "(", ")", ", ", "'", '"', "*", "**", "=", "\\"]
    + ["'a'", "0", "-", "range(", "lambda:", "for x in ", "f'", "{", "}", "\0", "\ud800", "#", "\n"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.text(max_size=4), max_size=10).map("".join))
def test_no_text_raises_anything_but_a_genotype_error(text):
    """Whatever stands in the text, it is a genotype or a GenotypeError, in a moment."""
    start_s = time.process_time()
    try:
        genotype = Genotype.from_text(text)
    except GenotypeError as error:
        assert len(str(error)) < 600
    else:
        assert Genotype.from_json(genotype.to_json()) == genotype
    assert time.process_time() - start_s < 1


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(text_of()) - 1), st.characters())
def test_one_wrong_character_is_never_another_kind_of_error(position, character):
    """A text with one character replaced is a genotype or a GenotypeError."""
    text = text_of()
    try:
        Genotype.from_text(text[:position] + character + text[position + 1 :])
    except GenotypeError as error:
        assert str(error)
