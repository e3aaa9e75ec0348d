"""The architecture parameters, and nothing else.

Shapes: E edges (14 for 4 nodes), P primitives. In a chain each group has as many rows and columns
as it needs: a row for each layer with a column for each candidate, a row for each stage with a
column for each depth.

Source: DARTS (arXiv:1806.09055), Sec. 2.2.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nas.space import SearchSpace, Space


class Alphas(nn.Module):
    """One (E, P) matrix of raw logits for each group: normal and reduce cells in DARTS.

    Owns the alphas and no weight of a network. All cells of a group share one matrix. A pair that
    the space does not have keeps a logit, which no softmax and no decoder ever sees.

    `alphas["normal"]` and `alphas.normal` are the same parameter.
    """

    def __init__(
        self,
        space: Space,
        init_std: float = 1e-3,
        generator: torch.Generator | None = None,
        extra: Mapping[str, Tensor] | None = None,
    ):
        """Draw the alphas.

        Args:
            space: The search space.
            init_std: Standard deviation of the first values (DARTS: 1e-3).
            generator: Where they are drawn from; None is torch's global generator.
            extra: First values of more architecture parameters, by name, such as the edge
                logits of PC-DARTS.
        """
        super().__init__()
        self.groups = tuple(space.groups)
        self.edges = space.edges if isinstance(space, SearchSpace) else ()
        for group in self.groups:
            shape = (len(space.groups[group]), len(space.columns(group)))
            logits = init_std * torch.randn(shape, generator=generator)
            self.register_parameter(group, nn.Parameter(logits))
        for group in self.groups:
            mask = torch.tensor(space.mask(group))
            self.register_buffer(f"{group}_mask", mask, persistent=False)
            self.register_buffer(f"{group}_kept", mask.clone(), persistent=False)
        self._removed: dict[str, tuple[frozenset[int], ...]] = {}
        self._kept_on_host = {
            group: torch.tensor(space.mask(group), device="cpu") for group in self.groups
        }
        for name, values in (extra or {}).items():
            self.register_parameter(name, nn.Parameter(values))

    def __getitem__(self, name: str) -> nn.Parameter:
        return self.get_parameter(name)

    def mask(self, group: str) -> Tensor:
        """Return which pairs the space has, (E, P), bool."""
        return self.get_buffer(f"{group}_mask")

    def kept(self, group: str) -> Tensor:
        """Return which pairs the space has and `prune` has left, (E, P), bool."""
        return self.get_buffer(f"{group}_kept")

    def kept_on_host(self, group: str) -> Tensor:
        """Return `kept` on the CPU, wherever the alphas are; reading it waits for no GPU."""
        return self._kept_on_host[group]

    def removed(self, group: str) -> tuple[frozenset[int], ...] | None:
        """Return, for each edge, the columns that `prune` has removed; None before that."""
        return self._removed.get(group)

    @torch.no_grad()
    def prune(self, kept: Mapping[str, Tensor]) -> None:
        """Remove pairs for good. Their alphas become 0; no softmax sees them any more.

        What is kept is not in `state_dict`: a method that prunes keeps it in its own state.

        Args:
            kept: By group, which pairs stay, (E, P), bool.
        """
        for group, stays in kept.items():
            mask = self.mask(group)
            self.kept(group).copy_(mask & stays.to(mask.device))
            self._kept_on_host[group] = self.kept(group).cpu()
            removed = mask & ~self.kept(group)
            self[group].masked_fill_(removed, 0)
            self._removed[group] = tuple(
                frozenset(column for column, is_removed in enumerate(row) if is_removed)
                for row in removed.tolist()
            )

    def softmax(self, group: str) -> Tensor:
        """Return the softmax over the primitives of each edge, (E, P).

        Pairs that the space does not have, and pairs that were removed, weigh exactly 0.
        """
        return self.logits_of(group).softmax(dim=1)

    def logits_of(self, group: str) -> Tensor:
        """Return the alphas of a group, (E, P), -inf for pairs that are absent or removed."""
        return self[group].masked_fill(~self.kept(group), -torch.inf)

    def extra(self) -> dict[str, list[float]]:
        """Return the extra parameters as plain lists, by name."""
        return {
            name: values.tolist()
            for name, values in self.named_parameters()
            if name not in self.groups
        }

    def weights(self) -> tuple[Tensor, ...]:
        """Return the arch_weights of DARTS, `softmax` of each group in order: (normal, reduce)."""
        return tuple(self.softmax(group) for group in self.groups)

    def logits(self) -> dict[str, list[list[float | None]]]:
        """Return the raw alphas by group as plain lists, None where the space has no pair."""
        return {group: masked_rows(self[group], self.mask(group)) for group in self.groups}


def masked_rows(table: Tensor, mask: Tensor) -> list[list[float | None]]:
    """Return (E, P) numbers as plain lists, None where `mask` is False."""
    return [
        [value if present else None for value, present in zip(row, is_present, strict=True)]
        for row, is_present in zip(table.tolist(), mask.tolist(), strict=True)
    ]
