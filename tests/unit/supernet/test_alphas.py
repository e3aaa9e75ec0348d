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


def test_pruned_pairs_weigh_nothing(space):
    """Their alphas are 0, also in what is written; absent pairs stay absent."""
    alphas = Alphas(space, 1.0)
    assert alphas.removed("normal") is None
    before = alphas.normal.detach().clone()
    stays = torch.arange(alphas.normal.numel()).view_as(before) % 2 == 0
    alphas.prune({"normal": stays})
    mask, kept = alphas.mask("normal"), alphas.kept("normal")
    assert torch.equal(kept, mask & stays)
    for group in alphas.groups:
        assert torch.equal(alphas.kept_on_host(group), alphas.kept(group))
    assert (alphas.softmax("normal")[~kept] == 0).all()
    assert torch.equal(alphas.normal[kept], before[kept])
    for row, present, stay, columns in zip(
        alphas.logits()["normal"], mask, kept, alphas.removed("normal"), strict=True
    ):
        assert [value is not None for value in row] == present.tolist()
        assert columns == {c for c in range(len(row)) if present[c] and not stay[c]}
        assert all(row[column] == 0 for column in columns)
    assert torch.equal(alphas.kept("reduce"), alphas.mask("reduce"))
    assert "normal_kept" not in alphas.state_dict()
