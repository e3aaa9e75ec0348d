"""The collapse guard: its numbers against hand-made tables, and when it warns."""

import logging

import pytest
import torch

from nas.genotype import Genotype
from nas.search.collapse import collapse_numbers, collapse_warning
from nas.space import SearchSpace, load_space
from nas.supernet import EdgeWeights

PRIMITIVES = ("none", "skip_connect", "sep_conv_3x3")


def small_space() -> SearchSpace:
    edges = (PRIMITIVES,) * 5
    return SearchSpace("small", 2, PRIMITIVES, edges, (("skip_connect",), *edges[1:]))


def cell(first: str, second: str) -> tuple:
    return (((first, 0), (second, 1)), ((first, 1), (second, 2)))


def test_numbers_by_hand():
    """Nodes have two and three inputs; only the second drops an edge."""
    rows = torch.tensor(
        [
            [0.5, 0.3, 0.2],  # 0->2: operators 0.3 and 0.2
            [0.0, 0.4, 0.6],  # 1->2: 0.6 and 0.4
            [0.1, 0.7, 0.2],  # 0->3: edge 0.7
            [0.2, 0.3, 0.5],  # 1->3: edge 0.5
            [0.6, 0.1, 0.3],  # 2->3: edge 0.3, dropped
        ]
    )
    weights = {"normal": EdgeWeights(rows), "reduce": EdgeWeights(rows)}
    genotype = Genotype(
        normal=cell("skip_connect", "sep_conv_3x3"),
        normal_concat=(2, 3),
        reduce=cell("sep_conv_3x3", "sep_conv_3x3"),
        reduce_concat=(2, 3),
    )
    numbers = collapse_numbers(weights, genotype, small_space())
    assert numbers["edge_margin"] == pytest.approx({"normal": 0.2, "reduce": 0.2})
    assert numbers["operator_margin"] == pytest.approx(
        {"normal": (0.1 + 0.2 + 0.5 + 0.2 + 0.2) / 5, "reduce": (0.2 + 0.5 + 0.2 + 0.2) / 4}
    )
    assert numbers["parameter_free"] == {"normal": 0.5, "reduce": 0.0}
    assert numbers["max_weight"]["normal"] == pytest.approx((0.5 + 0.6 + 0.7 + 0.5 + 0.6) / 5)


def test_edge_weights_count():
    """A factor of an edge scales its strength, and so its margins."""
    rows = torch.tensor([[0.0, 0.6, 0.4]] * 5)
    factors = torch.tensor([1.0, 1.0, 0.5, 0.3, 0.2])
    weights = {"normal": EdgeWeights(rows, factors)}
    genotype = Genotype(
        normal=cell("skip_connect", "skip_connect"),
        normal_concat=(2, 3),
        reduce=cell("skip_connect", "skip_connect"),
        reduce_concat=(2, 3),
    )
    numbers = collapse_numbers(weights, genotype, small_space())
    assert numbers["edge_margin"]["normal"] == pytest.approx(0.6 * (0.3 - 0.2))


def test_no_margin_without_a_choice():
    """One operator on every edge, two inputs: nothing to compare, so no number."""
    on_edges = (("skip_connect",),) * 2
    space = SearchSpace("one", 1, ("skip_connect",), on_edges, on_edges)
    node = (("skip_connect", 0), ("skip_connect", 1))
    genotype = Genotype(normal=(node,), normal_concat=(2,), reduce=(node,), reduce_concat=(2,))
    numbers = collapse_numbers({"normal": EdgeWeights(torch.ones(2, 1))}, genotype, space)
    assert numbers == {"parameter_free": {"normal": 1.0}, "max_weight": {"normal": 1.0}}


def record(epoch: int, skips: int) -> dict:
    entries = [["skip_connect", 0]] * skips + [["sep_conv_3x3", 1]] * (8 - skips)
    nodes = [entries[start : start + 2] for start in range(0, 8, 2)]
    return {"epoch": epoch, "num_skips": {"normal": skips}, "genotype": {"normal": nodes}}


class TestWarning:
    def test_once_when_the_sign_appears(self):
        """It names epoch, number and what to do, and is not repeated while the sign remains."""
        space = load_space("darts")
        records = [record(0, 1), record(1, 3)]
        assert collapse_warning(records, space) is None
        records.append(record(2, 4))
        line = collapse_warning(records, space)
        assert line is not None
        assert "\n" not in line
        assert "epoch 2: 4 of 8 operators" in line
        assert "skip_count" in line
        records.append(record(3, 6))
        assert collapse_warning(records, space) is None

    def test_chance_is_not_a_sign(self):
        """Where every second operator is a skip connection, half of a cell is chance."""
        space = load_space("s2")
        assert collapse_warning([record(0, 5)], space) is None
        assert collapse_warning([record(0, 8)], space) is not None

    def test_a_growing_eigenvalue(self):
        """The growth at which DARTS-ES would stop is a sign, once."""
        records, lines = [], []
        for epoch in range(0, 34, 2):
            measures = {"eigenvalue": 0.1 if epoch < 26 else 0.3}
            records.append({**record(epoch, 1), "measures": measures})
            lines.append(collapse_warning(records, load_space("darts")))
        shown = [line for line in lines if line is not None]
        assert len(shown) == 1 and "the dominant eigenvalue grew from 0.1" in shown[0]
        assert lines[13] is not None  # epoch 26

    def test_nothing_yet(self):
        """No record, no line."""
        assert collapse_warning([], load_space("darts")) is None


def test_a_search_warns_through_its_logger(tmp_path, caplog):
    """The line goes to the logger, once, and the record keeps the numbers."""
    from nas.runtime.run_directory import RunDirectory
    from tests.contract.test_methods import searcher_of

    space = load_space("s2")
    searcher = searcher_of("darts", space, RunDirectory.create(tmp_path / "run", {}))
    with torch.no_grad():
        for group in searcher.alphas.groups:
            searcher.alphas[group][:, 0] += 9
    with caplog.at_level(logging.WARNING, logger="nas"):
        searcher.search()
    lines = [entry.message for entry in caplog.records if "sign of collapse" in entry.message]
    assert len(lines) == 1
    assert all(row["collapse"]["max_weight"]["normal"] > 0.9 for row in searcher.history.records)
