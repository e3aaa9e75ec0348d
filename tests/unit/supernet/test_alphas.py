"""The architecture parameters: names, masks and the forms that are written to files."""

import pytest
import torch

from nas.space import load_space
from nas.supernet import Alphas


@pytest.fixture
def space():
    return load_space("mixed_edges")


def test_a_pair_outside_the_space_weighs_exactly_nothing(space):
    alphas = Alphas(space)
    for group in alphas.groups:
        mask = alphas.mask(group)
        assert not mask.all()
        assert (alphas.softmax(group)[~mask] == 0).all()
        torch.testing.assert_close(alphas.softmax(group).sum(dim=1), torch.ones(space.num_edges))
        written = alphas.logits()[group]
        assert [[value is not None for value in row] for row in written] == mask.tolist()


def test_softmax_has_no_gradient_outside_the_space(space):
    alphas = Alphas(space)
    alphas.softmax("normal").square().sum().backward()
    assert (alphas.normal.grad[~alphas.mask("normal")] == 0).all()


def test_extra_parameters_are_trained_and_written(space):
    alphas = Alphas(space, extra={"normal_beta": torch.zeros(2)})
    assert alphas["normal_beta"] in set(alphas.parameters())
    assert alphas.extra() == {"normal_beta": [0.0, 0.0]}
    assert alphas["normal"] is alphas.normal


def test_the_draw_follows_its_generator(space):
    first, second = (Alphas(space, 0.5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first.normal, second.normal)
    assert 0.3 < first.normal.std() < 0.7
