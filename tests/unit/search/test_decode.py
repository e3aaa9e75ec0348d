"""The decoder: ties, `none`, masks, and an independent second implementation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.operators import with_details
from nas.search import decode
from nas.space import load_space
from nas.supernet import Alphas


def alphas_of(space, normal, reduce=None):
    alphas = Alphas(space).double()
    with torch.no_grad():
        alphas.normal.copy_(torch.as_tensor(normal))
        alphas.reduce.copy_(torch.as_tensor(normal if reduce is None else reduce))
    return alphas


def test_ties_go_to_the_lower_input_then_the_lower_primitive():
    """Equal logits everywhere keep inputs 0 and 1 with the first primitive that is not none."""
    space = load_space("darts")
    genotype = decode(alphas_of(space, np.zeros((14, 8))), space)
    assert set(genotype.normal) == {(("max_pool_3x3", 0), ("max_pool_3x3", 1))}


def test_none_is_never_chosen_but_keeps_its_mass():
    """A large `none` weakens its edge without being decoded."""
    space = load_space("darts")
    logits = np.zeros((14, 8))
    logits[0, 0] = 9.0  # edge 0->2: none takes nearly all of the mass
    logits[2, 0] = 9.0  # edge 0->3
    genotype = decode(alphas_of(space, logits), space)
    assert genotype.normal[0] == (("max_pool_3x3", 1), ("max_pool_3x3", 0))
    assert genotype.normal[1] == (("max_pool_3x3", 1), ("max_pool_3x3", 2))
    assert "none" not in genotype.primitives


def test_entries_stand_strongest_first():
    space = load_space("s2")
    logits = np.zeros((14, 2))
    logits[1, 1], logits[0, 0] = 3.0, 2.0
    genotype = decode(alphas_of(space, logits), space)
    assert genotype.normal[0] == (("sep_conv_3x3", 1), ("skip_connect", 0))


def test_absent_pairs_are_never_decoded():
    """However large the logit of a pair that the space does not have, it is not seen."""
    space = load_space("mixed_edges")
    normal, reduce = (
        np.where(np.array(space.mask(cell_type)), 0.0, 100.0) for cell_type in ("normal", "reduce")
    )
    genotype = decode(alphas_of(space, normal, reduce), space)
    for cell_type in ("normal", "reduce"):
        for target, node in enumerate(getattr(genotype, cell_type), start=2):
            for name, source in node:
                edge = space.edges.index((source, target))
                assert name in getattr(space, cell_type)[edge]


@pytest.mark.parametrize("name", ["darts", "darts+sandglass", "s3", "mixed_edges"])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(1, 50))
def test_against_a_second_implementation(name, seed, levels):
    """The same cells as a plain numpy reading of the rule, ties included (coarse logits)."""
    space = load_space(name)
    rng = np.random.default_rng(seed)
    logits = rng.integers(0, levels, (space.num_edges, len(space.primitives))) / 4
    alphas = alphas_of(space, logits)
    weights = alphas.weights()[0].detach().numpy()
    mask = np.array(space.mask("normal"))
    usable = mask & np.array([name != "none" for name in space.primitives])
    expected, edge = [], 0
    for target in range(2, 2 + space.num_nodes):
        ranked = []
        for source in range(target):
            row = np.where(usable[edge], weights[edge], -1.0)
            if usable[edge].any():
                ranked.append((row.max(), source, space.primitives[int(row.argmax())]))
            edge += 1
        ranked.sort(key=lambda entry: (-entry[0], entry[1]))
        expected.append(tuple((primitive, source) for _, source, primitive in ranked[:2]))
    assert decode(alphas, space).normal == tuple(expected)


def test_decode_is_pure():
    """Nothing changes: alphas, their gradients, the random state."""
    space = load_space("darts")
    alphas = Alphas(space)
    before, state = alphas.normal.clone(), torch.get_rng_state()
    assert decode(alphas, space) == decode(alphas, space)
    assert torch.equal(alphas.normal, before) and alphas.normal.grad is None
    assert torch.equal(torch.get_rng_state(), state)


def test_details_describe_every_primitive():
    """What a diagram and a retrain need stands in the genotype: labels, ratios, space."""
    space = load_space("sandglass+ir")
    genotype = with_details(decode(Alphas(space), space), space, {"seed": 3})
    assert set(genotype.operators) == set(genotype.primitives)
    for description in genotype.operators.values():
        assert {"label", "family", "settings"} <= description.keys()
    if "sandglass_3x3" in genotype.operators:
        assert genotype.operators["sandglass_3x3"]["settings"]["reduction_ratio"] == 6
    assert genotype.space["primitives"] == list(space.primitives)
    assert genotype.search == {"seed": 3}
