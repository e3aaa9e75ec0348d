"""The weights of edges: rows, the form without a graph, and the plain forms that are accepted."""

import pytest
import torch

from nas.supernet.arch_weights import EdgeRow, EdgeWeights, by_group

OPS = torch.arange(6.0).reshape(2, 3)


def test_rows_split_every_field_by_edge():
    weights = EdgeWeights(
        OPS, torch.tensor([0.5, 2.0]), chosen=(2, 0), removed=(frozenset({1}), frozenset())
    )
    first, second = weights.rows()
    assert [value.item() for value in second.ops] == [3.0, 4.0, 5.0]
    assert (first.edge.item(), second.edge.item()) == (0.5, 2.0)
    assert (first.chosen, second.chosen) == (2, 0)
    assert (first.removed, second.removed) == ({1}, set())


def test_rows_of_a_plain_mixture_choose_and_remove_nothing():
    for row in EdgeWeights(OPS).rows():
        assert row == EdgeRow(row.ops) and (row.edge, row.chosen, row.removed) == (
            None,
            None,
            set(),
        )


def test_detach_keeps_the_values_and_drops_the_graph():
    ops, edge = OPS.clone().requires_grad_(), torch.ones(2, requires_grad=True)
    detached = EdgeWeights(ops * 2, edge * 3, chosen=(0, 1)).detach()
    assert not detached.ops.requires_grad and not detached.edge.requires_grad
    assert torch.equal(detached.ops, OPS * 2) and torch.equal(detached.edge, torch.full((2,), 3.0))
    assert detached.chosen == (0, 1)


def test_by_group_names_plain_tensors_in_order():
    given = EdgeWeights(OPS, chosen=(0, 0))
    named = by_group((OPS, given), ("normal", "reduce"))
    assert named["normal"].ops is OPS and named["normal"].chosen is None
    assert named["reduce"] is given
    assert by_group(named, ("normal", "reduce")) is named


def test_by_group_needs_one_entry_for_each_group():
    with pytest.raises(ValueError, match="shorter"):
        by_group((OPS,), ("normal", "reduce"))
