"""Hypothesis strategies: genotypes of every shape that the record allows."""

from hypothesis import strategies as st

from nas.genotype import Genotype

NAMES = st.sampled_from(["none", "skip_connect", "sep_conv_3x3", "conv_7x1_1x7", "a", "_1"])
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
DETAILS = st.dictionaries(st.text(max_size=6), JSON_VALUES, max_size=3)


@st.composite
def cells(draw, inputs_a_node):
    """Draw a cell and its concatenation."""
    num_nodes = draw(st.integers(1, 5))
    nodes = tuple(
        tuple((draw(NAMES), draw(st.integers(0, target - 1))) for _ in range(draw(inputs_a_node)))
        for target in range(2, 2 + num_nodes)
    )
    indices = st.integers(0, num_nodes + 1)
    concat = draw(st.lists(indices, min_size=1, max_size=4, unique=True))
    return nodes, tuple(draw(st.sampled_from([concat, range(2, 2 + num_nodes)])))


@st.composite
def genotypes(draw, inputs_a_node=None):
    """Draw genotypes, with details; 1 to 3 inputs a node unless told otherwise."""
    inputs_a_node = st.integers(1, 3) if inputs_a_node is None else inputs_a_node
    normal, normal_concat = draw(cells(inputs_a_node))
    reduce, reduce_concat = draw(cells(inputs_a_node))
    operators = {
        name: {"label": draw(st.text(max_size=5)), "family": "other", "settings": {"ratio": 6}}
        for name in {name for cell in (normal, reduce) for node in cell for name, _ in node}
        if draw(st.booleans())
    }
    return Genotype(
        normal,
        normal_concat,
        reduce,
        reduce_concat,
        operators=operators,
        space=draw(DETAILS),
        search=draw(DETAILS),
    )
