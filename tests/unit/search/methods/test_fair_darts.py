"""FairDARTS: what a cell keeps when nothing reaches the threshold."""

import pytest
import torch

from nas.operators import resolve
from nas.search.method import Progress
from nas.search.methods.fair_darts import FairDarts
from nas.space import load_space
from nas.supernet import Alphas


@pytest.mark.parametrize(("keep", "most"), [("two_edges", 2), ("all_edges", 4)])
def test_without_a_weight_at_the_threshold_the_rule_is_the_same(keep, most):
    """Only the threshold goes; `keep` still says which edges and operators stay."""
    space = load_space("skip_connect+sep_conv_3x3")
    resolve(space)
    alphas = Alphas(space, generator=torch.Generator().manual_seed(0))
    first = Progress(0, 2)
    cells = FairDarts(keep=keep, threshold=0.85).decode(alphas, space, first)
    assert cells == FairDarts(keep=keep, threshold=0).decode(alphas, space, first)
    assert len(cells.normal[0]) == most
