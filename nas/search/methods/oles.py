"""OLES: the weights of an operator are frozen once it stops generalizing.

    s      = similarity of an operator's training and validation gradients in a step
    freeze   for good, if the mean of s over `steps` steps is below `threshold`; then count again

    similarity = mean over the operator's weight tensors of the mean over all positions of the
                 cosine along dimension 0 (the output channels)

Watched is every operator with weights, each by itself, except skip connections. The gradient of the
training batch is that of the last weight step, after clipping; that of the validation batch comes
from the alpha step.

Source: OLES (NeurIPS 2023, openreview yAOwkf4FyL) and its code (PasaLab/oles d90455c). It does
not zero the gradients of the weights before the alpha step, so it compares g_train with
g_train + g_val, which is biased towards 1; and it divides the sum of steps + 1 values by `steps`.
Its threshold belongs to these numbers, so `reference` is on by default. Without it, g_train is
compared with g_val, and the mean is a mean.
Deviation: the code may decode `none` and keeps the cell of the best validation accuracy; here cells
are decoded as in DARTS, at the end.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.operators import build_operator, get_operator
from nas.runtime.complexity import count_parameters
from nas.runtime.compute import Batch
from nas.search.method import Method
from nas.search.monitors import Monitor
from nas.search.registry import register_method
from nas.search.searcher import Searcher
from nas.space import SearchSpace, Space
from nas.supernet import MixedEdge

Gradients = Mapping[str, Tensor]
"""By the names of the supernet's parameters."""


@register_method("oles", source="OLES (NeurIPS 2023, openreview yAOwkf4FyL)")
@dataclass(frozen=True)
class Oles(Method):
    """DARTS with early stopping of single operators, by the similarity of their gradients."""

    threshold: float = 0.4
    """An operator with a smaller similarity is frozen."""
    steps: int = 20
    """Steps between two checks."""
    reference: bool = True
    """Whether similarities and checks are those of the authors' code, or those of the paper."""

    orders: ClassVar = ("first_order",)
    families: ClassVar = ("cell", "nasbench201")
    runs_all_operators: ClassVar = False  # frozen weights get no gradient

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:
            raise ConfigError(f"threshold: expected -1 to 1, found {self.threshold:g}")
        if self.steps < 1:
            raise ConfigError(f"steps: expected 1 or more, found {self.steps}")

    def check(self, config: SearchConfig, space: Space) -> None:
        """See `Method`; there must be an operator to watch."""
        super().check(config, space)
        assert isinstance(space, SearchSpace)
        if not any(_has_weights(name, config.init_channels) for name in space.primitives):
            raise ConfigError(
                f"space: no operator of {space.name} has weights (skip connections do not count), "
                "so the method has nothing to freeze; use method darts or another space"
            )

    def monitors(self) -> tuple[Monitor, ...]:
        """Count frozen operators after each epoch."""
        return (count_frozen,)

    def make_state(self, searcher: Searcher) -> "OlesState":
        """Return sums, counter, gradients, and which operators are frozen."""
        return OlesState(self, searcher.net)

    def step(self, searcher: Searcher, train_batch: Batch) -> None:
        """Compare the gradients of the alpha step with those of the last weight step."""
        state = searcher.method_state
        assert isinstance(state, OlesState)
        state.compare(searcher.alpha_step(train_batch, watch=state.watched()))
        searcher.weight_step(train_batch)
        state.remember()


def count_frozen(searcher: Searcher) -> dict[str, float]:
    """Return how many operators are frozen, over all cells of the supernet."""
    state = searcher.method_state
    assert isinstance(state, OlesState)
    return {"frozen_operators": float(sum(state.frozen.values()))}


class OlesState:
    """What OLES remembers between steps."""

    def __init__(self, method: Oles, net: nn.Module):
        """Watch the operators of a supernet.

        Args:
            method: The settings.
            net: The supernet; the weights of frozen operators stop requiring gradients.
        """
        self.method = method
        self.parameters = dict(net.named_parameters())
        self.tensors = watched_operators(net)
        """The names of the weights of each operator, by its name."""
        self.frozen = dict.fromkeys(self.tensors, False)
        device = next(iter(self.parameters.values())).device
        self.sums = torch.zeros(len(self.tensors), dtype=torch.float64, device=device)
        self.count = 0
        self.gradients: dict[str, Tensor] = {}

    def watched(self) -> list[str]:
        """Return the names of the weights of all operators that are not frozen."""
        return [
            name
            for operator, names in self.tensors.items()
            if not self.frozen[operator]
            for name in names
        ]

    def compare(self, validation: Gradients) -> None:
        """Add up the similarities of a step; freeze operators when it is time.

        Args:
            validation: The gradients of the validation batch.
        """
        reference = self.method.reference
        if not self.gradients and not reference:
            return
        self.sums += self.similarities(validation)
        self.count += 1
        if self.count < self.method.steps + int(reference):
            return
        means = (self.sums / self.method.steps).tolist()
        for operator, mean in zip(self.tensors, means, strict=True):
            if mean < self.method.threshold:
                self.freeze(operator)
        self.sums.zero_()
        self.count = 0

    def similarities(self, validation: Gradients) -> Tensor:
        """Return the similarity of each operator; 1 for those that are frozen."""
        values = []
        for operator, names in self.tensors.items():
            if self.frozen[operator]:
                values.append(self.sums.new_ones(()))
                continue
            pairs = []
            for name in names:
                train = self.gradients.get(name)
                train = torch.zeros_like(validation[name]) if train is None else train
                second = train + validation[name] if self.method.reference else validation[name]
                pairs.append((train, second))
            values.append(similarity(pairs).to(self.sums))
        return torch.stack(values).nan_to_num(0)  # of a step that was not finite

    def freeze(self, operator: str) -> None:
        """Stop training the weights of an operator."""
        self.frozen[operator] = True
        for name in self.tensors[operator]:
            self.parameters[name].requires_grad_(False)
            self.parameters[name].grad = None
            self.gradients.pop(name, None)

    def remember(self) -> None:
        """Keep the gradients of the weight step that was just taken."""
        for name in self.watched():
            gradient = self.parameters[name].grad
            if gradient is not None:
                self.gradients[name] = gradient.clone()

    def state_dict(self) -> dict[str, Any]:
        """Return everything that is not a setting."""
        return {
            "sums": self.sums.clone(),
            "count": self.count,
            "gradients": dict(self.gradients),
            "frozen": dict(self.frozen),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state, and freeze what was frozen."""
        if state["frozen"].keys() != self.frozen.keys():
            raise ValueError("the operators of OLES are those of another supernet")
        self.sums.copy_(state["sums"])
        self.count = state["count"]
        self.gradients = {
            name: gradient.to(self.parameters[name])
            for name, gradient in state["gradients"].items()
        }
        for operator, is_frozen in state["frozen"].items():
            if is_frozen:
                self.freeze(operator)


def watched_operators(net: nn.Module) -> dict[str, list[str]]:
    """Return the names of the weights of each operator that OLES watches, by its name."""
    operators = {}
    for edge_name, edge in net.named_modules():
        if not isinstance(edge, MixedEdge):
            continue
        for key, operator in edge.operators.items():
            name = f"{edge_name}.operators.{key}"
            weights = [f"{name}.{weight}" for weight, _ in operator.named_parameters()]
            if weights and not edge.records[int(key)].is_identity:
                operators[name] = weights
    return operators


def _has_weights(name: str, channels: int) -> bool:
    if get_operator(name).is_identity:
        return False
    with torch.device("meta"):
        return count_parameters(build_operator(name, channels, 1, affine=False)) > 0


def similarity(pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Return the mean over pairs of gradients of their mean cosine along dimension 0, a scalar."""
    return torch.stack([cosine_similarity(a, b, dim=0).mean() for a, b in pairs]).mean()
