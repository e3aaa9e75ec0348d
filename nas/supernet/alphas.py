"""The architecture parameters, and nothing else.

Shapes: E edges (14 for 4 nodes), P primitives.

Source: DARTS (arXiv:1806.09055), Sec. 2.2.
"""

import torch
from torch import Tensor, nn

from nas.space import CELL_TYPES, SearchSpace


class Alphas(nn.Module):
    """One row of raw logits for each edge of the normal and of the reduction cell.

    Owns the alphas and no weight of a network. All cells of a type share one matrix. A pair that
    the space does not have keeps a logit, which no softmax and no decoder ever sees.
    """

    def __init__(
        self, space: SearchSpace, init_std: float = 1e-3, generator: torch.Generator | None = None
    ):
        """Draw the alphas.

        Args:
            space: The search space.
            init_std: Standard deviation of the first values (DARTS: 1e-3).
            generator: Where they are drawn from; None is torch's global generator.
        """
        super().__init__()
        shape = (space.num_edges, len(space.primitives))
        self.normal = nn.Parameter(init_std * torch.randn(shape, generator=generator))
        self.reduce = nn.Parameter(init_std * torch.randn(shape, generator=generator))
        for cell_type in CELL_TYPES:
            mask = torch.tensor(space.mask(cell_type))
            self.register_buffer(f"{cell_type}_mask", mask, persistent=False)

    def weights(self) -> tuple[Tensor, Tensor]:
        """Return arch_weights, softmax over the primitives of each edge: two of (E, P).

        Pairs that the space does not have weigh exactly 0.
        """
        return (
            _masked_softmax(self.normal, self.normal_mask),
            _masked_softmax(self.reduce, self.reduce_mask),
        )

    def entropy(self) -> tuple[float, float]:
        """Return the mean entropy of the edges' distributions in nats: normal, reduce."""
        # 0 * log 0 = 0, which xlogy knows.
        normal, reduce = (
            -torch.xlogy(weights, weights).sum(dim=1).mean().item() for weights in self.weights()
        )
        return normal, reduce

    def logits(self) -> dict[str, list[list[float | None]]]:
        """Return the raw alphas by cell type as plain lists, None where the space has no pair."""
        return {
            cell_type: [
                [alpha if present else None for alpha, present in zip(row, mask, strict=True)]
                for row, mask in zip(
                    getattr(self, cell_type).tolist(),
                    getattr(self, f"{cell_type}_mask").tolist(),
                    strict=True,
                )
            ]
            for cell_type in CELL_TYPES
        }


def _masked_softmax(alpha: Tensor, mask: Tensor) -> Tensor:
    return alpha.masked_fill(~mask, -torch.inf).softmax(dim=1)
