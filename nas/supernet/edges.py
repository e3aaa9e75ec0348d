"""The edges of a supernet cell: what an edge does with its row of weights.

Every edge has two forms. `forward` is the definition: one edge alone, operator by operator.
`add_to` is the fast form: it adds to the sum of a node and shares, through the `SourceState`, what
the edges that leave a state have in common. Tests hold the two together.

Shape legend: N images, C channels, H rows, W columns, P primitives.

Source: DARTS (arXiv:1806.09055), Sec. 2.2, Eq. 2.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator
from typing import Any, ClassVar, cast

from torch import Tensor, nn

from nas.operators import Operator, build_operator, get_operator
from nas.supernet.arch_weights import EdgeRow
from nas.supernet.joined_edges import Candidate, Joined, join_edges
from nas.supernet.shared_edges import SharedOperators, SourceState, add_product, weighted


class Edge(nn.Module, ABC):
    """One edge of a cell, with all its candidate operators."""

    keeps_row: ClassVar[bool] = False
    """Whether `add_to` hands its row to `mixed` as it is, so that operators of `mixed` may be
    evaluated together with those of other edges before."""

    @property
    @abstractmethod
    def mixed(self) -> "MixedEdge":
        """The edge that holds the operators: this one, or one inside it."""

    @abstractmethod
    def forward(self, x: Tensor, row: EdgeRow) -> Tensor:
        """Evaluate the edge alone: the definition, and the reference for `add_to`.

        Args:
            x: (N, C, H, W).
            row: Its weights.

        Returns:
            (N, C, ceil(H / stride), ceil(W / stride)).
        """

    @abstractmethod
    def add_to(self, total: Any, state: SourceState, row: EdgeRow) -> Any:
        """Add what the edge passes on to the running sum of a node.

        Args:
            total: The sum so far, which may be changed in place; None at the start.
            state: Where the edge starts.
            row: Its weights.

        Returns:
            The new sum, or None while nothing has been added.
        """

    def finish(self, total: Any) -> Tensor:
        """Turn the sum of a node into the node, (N, C, H, W)."""
        return total


class MixedEdge(Edge):
    """The weighted sum of the operators on one edge.

    Owns the operators' weights. The BatchNorms have no scale and no shift (`affine=False`), and
    the operators whose record says `norm_in_search` get one behind them.
    """

    keeps_row = True

    def __init__(
        self, on_edge: tuple[str, ...], primitives: tuple[str, ...], channels: int, stride: int
    ):
        """Build the operators.

        Args:
            on_edge: The primitives on this edge.
            primitives: All P primitives of the space: the columns of the weights.
            channels: C.
            stride: 1 or 2.
        """
        super().__init__()
        present = [name for name in primitives if name in on_edge]
        self.columns = [primitives.index(name) for name in present]
        self.records = [get_operator(name) for name in present]
        self.operators = nn.ModuleDict(
            {str(i): _in_search(name, channels, stride) for i, name in enumerate(present)}
        )
        self._shared: tuple[SharedOperators, ...] = ()

    @property
    def mixed(self) -> "MixedEdge":
        """This edge."""
        return self

    def share(self, shared: SharedOperators) -> None:
        """Leave the operators without weights to what the state's edges have in common."""
        for index, record in enumerate(self.records):
            operator = self.operators[str(index)]
            if record.parameter_free and next(operator.parameters(), None) is None:
                shared.offer(record.name, operator)
                del self.operators[str(index)]
        self._shared = (shared,)  # in a tuple: a module is registered in one place only

    def operator(self, index: int) -> nn.Module:
        """Return the `index`-th operator of the edge, whoever holds it."""
        if str(index) in self.operators:
            return self.operators[str(index)]
        return self._shared[0][self.records[index].name]

    def forward(self, x: Tensor, row: EdgeRow) -> Tensor:
        """Return sum over primitives p of row.ops[p] * op_p(x), times row.edge."""
        total = sum(
            row.ops[column] * self.operator(index)(x) for index, column, _ in self._running(row)
        )
        return total if row.edge is None else row.edge * total

    def add_to(self, total: Tensor | None, state: SourceState, row: EdgeRow) -> Tensor | None:
        """Add the weighted operators; `total` is (N, C, H, W)."""
        joined = state.once("joined", lambda: _join(state))
        columns, outputs = joined.get(self, Joined(set(), []))
        assert not columns or state.leaving[self] is row, "an edge that sets keeps_row changes it"
        for output in outputs:
            total = output if total is None else total.add_(output)
        for index, column, record in self._running(row):
            if record.is_zero or column in columns:
                continue  # weight * 0 changes neither the sum nor a gradient; or it is in the sum
            weight = row.weight(column)
            if state.shares(record.name):
                output = state.output_of(record.name)
                total = output * weight if total is None else add_product(total, output, weight)
            else:
                output = weighted(record, self.operators[str(index)], state, weight)
                total = output if total is None else total.add_(output)
        return total

    def candidates(self, row: EdgeRow) -> list[Candidate]:
        """Return the operators that this row runs and that no other edge shares."""
        return [
            Candidate(column, record, self.operators[str(index)], row.weight(column))
            for index, column, record in self._running(row)
            if str(index) in self.operators
        ]

    def _running(self, row: EdgeRow) -> Iterator[tuple[int, int, Operator]]:
        """Yield place, column and record of the operators that this row runs."""
        for index, (column, record) in enumerate(zip(self.columns, self.records, strict=True)):
            is_chosen = row.chosen is None or row.chosen == column
            if is_chosen and column not in row.removed:
                yield index, column, record


def _join(state: SourceState) -> dict[Hashable, Joined]:
    """Return what the edges that leave a state share; see `nas.supernet.joined_edges`."""
    return join_edges(
        state, {edge: cast(MixedEdge, edge).candidates(row) for edge, row in state.leaving.items()}
    )


def _in_search(name: str, channels: int, stride: int) -> nn.Module:
    operator = build_operator(name, channels, stride, affine=False)
    if get_operator(name).norm_in_search:
        return nn.Sequential(operator, nn.BatchNorm2d(channels, affine=False))
    return operator
