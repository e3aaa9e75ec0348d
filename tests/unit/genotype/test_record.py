"""The genotype record: what it takes, what makes two equal, and what it refuses."""

import dataclasses

import pytest

from nas.errors import GenotypeError
from nas.genotype import Genotype, published_genotypes

CELL = ((("a", 0), ("b", 1)), (("a", 2),))
CONCAT = (2, 3)


def make(**changes):
    fields = {"normal": CELL, "normal_concat": CONCAT, "reduce": CELL, "reduce_concat": CONCAT}
    return Genotype(**{**fields, **changes})


def test_lists_become_tuples():
    """A genotype made from lists equals, and hashes like, the one made from tuples."""
    as_lists = make(normal=[[["a", 0], ["b", 1]], [["a", 2]]], normal_concat=[2, 3])
    assert as_lists == make()
    assert hash(as_lists) == hash(make())
    assert as_lists.normal == CELL
    assert as_lists.normal_concat == CONCAT


@pytest.mark.parametrize("details", ["operators", "space", "search"])
def test_equality_ignores_the_details(details):
    """The same cells found twice are the same genotype."""
    assert make(**{details: {"x": 1}}) == make()
    assert hash(make(**{details: {"x": 1}})) == hash(make())


@pytest.mark.parametrize(
    "changes",
    [
        {"normal": ((("a", 0), ("b", 0)), (("a", 2),))},
        {"normal": ((("b", 1), ("a", 0)), (("a", 2),))},
        {"reduce": ((("a", 0), ("c", 1)), (("a", 2),))},
        {"normal_concat": (3, 2)},
        {"reduce_concat": (3,)},
    ],
)
def test_equality_sees_every_difference_of_the_cells(changes):
    """Another primitive, source, order or concatenation is another genotype."""
    assert make(**changes) != make()


def test_primitives_are_named_once_in_order_of_appearance():
    """`primitives` goes through the normal cell, then the reduction cell."""
    genotype = make(reduce=((("c", 0), ("a", 1)), (("d", 2),)))
    assert genotype.primitives == ("a", "b", "c", "d")


def test_a_genotype_cannot_be_changed():
    """A genotype is checked once and then fixed."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().normal = ()


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ((), "expected a list of 1 to 16 nodes"),
        ("ab", "expected a list of 1 to 16 nodes"),
        (None, "expected a list of 1 to 16 nodes"),
        (((("a", 0),),) * 17, "expected a list of 1 to 16 nodes"),
        (((),), "node 2: expected (primitive, source) pairs, found ()"),
        (("ab",), "node 2: expected (primitive, source) pairs, found 'ab'"),
        ((("a", 0),), "node 2: expected a (primitive, source) pair, found 'a'"),
        (((("a", 0, 1),),), "node 2: expected a (primitive, source) pair"),
        (((("a",),),), "node 2: expected a (primitive, source) pair"),
        ((((0, "a"),),), "node 2: 0 is not the name of a primitive"),
        (((("a b", 0),),), "node 2: 'a b' is not the name of a primitive"),
        (((("a\n", 0),),), "node 2: 'a\\n' is not the name of a primitive"),
        (((("", 0),),), "node 2: '' is not the name of a primitive"),
        (((("a", 2),),), "node 2 cannot read node 2; nodes: 0 to 1"),
        (((("a", 0),), (("a", 3),)), "node 3 cannot read node 3; nodes: 0 to 2"),
        (((("a", -1),),), "node 2 cannot read node -1"),
        (((("a", True),),), "node 2 cannot read node True"),
        (((("a", 0.0),),), "node 2 cannot read node 0.0"),
        (((("a", "0"),),), "node 2 cannot read node '0'"),
        (((("a", None),),), "node 2 cannot read node None"),
        (((("a", 16**6000),),), "node 2 cannot read node a number of 24001 bits"),
    ],
)
@pytest.mark.parametrize("cell_type", ["normal", "reduce"])
def test_cells_that_cannot_be_are_refused(cell_type, cell, found):
    """The message names the cell, the node, what was found and what is allowed."""
    with pytest.raises(GenotypeError) as error:
        make(**{cell_type: cell, f"{cell_type}_concat": (0,)})
    assert str(error.value).startswith(f"{cell_type}: ")
    assert found in str(error.value)


@pytest.mark.parametrize(
    ("concat", "found"),
    [
        ((), "expected a list of nodes, found ()"),
        (None, "expected a list of nodes, found None"),
        ("23", "expected a list of nodes, found '23'"),
        (2, "expected a list of nodes, found 2"),
        ((2, 2), "node 2 is there twice"),
        ((4,), "there is no node 4; nodes: 0 to 3"),
        ((-1,), "there is no node -1"),
        ((True,), "there is no node True"),
        ((2.0,), "there is no node 2.0"),
        (("2",), "there is no node '2'"),
        (([2],), "there is no node [2]"),
        ((16**6000,), "there is no node a number of 24001 bits"),
    ],
)
@pytest.mark.parametrize("cell_type", ["normal", "reduce"])
def test_concatenations_that_cannot_be_are_refused(cell_type, concat, found):
    """A concatenation names nodes of its cell, at least one and each once."""
    with pytest.raises(GenotypeError) as error:
        make(**{f"{cell_type}_concat": concat})
    assert str(error.value).startswith(f"{cell_type}_concat: ")
    assert found in str(error.value)


def test_what_published_genotypes_do_is_allowed():
    """A concatenation may skip nodes, take inputs or be out of order; a node may read one twice."""
    genotype = make(normal=((("a", 1), ("b", 1)), (("a", 0),)), normal_concat=(3, 0))
    assert genotype.normal_concat == (3, 0)
    assert genotype.normal[0] == (("a", 1), ("b", 1))


@pytest.mark.parametrize("name", published_genotypes())
def test_published_genotypes_are_cells_of_the_darts_space(name):
    """Four nodes of two inputs, all concatenated; those of FairDARTS have fewer."""
    genotype = published_genotypes()[name]
    for cell, concat in (
        (genotype.normal, genotype.normal_concat),
        (genotype.reduce, genotype.reduce_concat),
    ):
        if name.startswith("FAIRDARTS"):
            assert {len(node) for node in cell} <= {1, 2} and 3 <= len(cell) <= 4
        else:
            assert [len(node) for node in cell] == [2, 2, 2, 2]
        assert concat == tuple(range(2, 2 + len(cell)))
