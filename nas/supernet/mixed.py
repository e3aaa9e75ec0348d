"""The mixed edge: all candidate operators of an edge side by side.

Source: DARTS (arXiv:1806.09055), Sec. 2.2, Eq. 2.
"""

from torch import Tensor, nn

from nas.operators import build_operator, get_operator


class MixedEdge(nn.Module):
    """The weighted sum of the operators on one edge.

    Owns the operators' weights. The BatchNorms have no scale and no shift (`affine=False`), and
    the operators whose record says `norm_in_search` get one behind them.
    """

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
        self.operators = nn.ModuleList(_in_search(name, channels, stride) for name in present)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """Mix, operator by operator: the definition, and the reference for faster forms.

        Args:
            x: (N, C, H, W).
            weights: (P,), the row of arch_weights of this edge.

        Returns:
            sum over primitives p of weights[p] * op_p(x), at the resolution of the stride.
        """
        return sum(
            weights[column] * operator(x)
            for column, operator in zip(self.columns, self.operators, strict=True)
        )


def _in_search(name: str, channels: int, stride: int) -> nn.Module:
    operator = build_operator(name, channels, stride, affine=False)
    if get_operator(name).norm_in_search:
        return nn.Sequential(operator, nn.BatchNorm2d(channels, affine=False))
    return operator
