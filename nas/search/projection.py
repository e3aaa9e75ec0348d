"""The phase of DARTS-PT after a search: remove operators on trial, decide edge by edge.

Source: DARTS-PT (arXiv:2108.04392), Alg. 1, and its code (ruocwang/darts-pt 4ec3149).

Shape legend: E edges, P primitives.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import torch

from nas.errors import RunDirectoryError
from nas.operators import NUM_DECODED_EDGES, get_operator
from nas.runtime.meter import Meter
from nas.search.functional import Substitute
from nas.search.method import Method, Progress
from nas.search.searcher import Searcher
from nas.space import SearchSpace
from nas.supernet import Alphas, ArchWeights, EdgeWeights

DECISIONS = "decisions.json"


class Without(NamedTuple):
    """How good the supernet is without an operator or an edge."""

    accuracy: float
    """In percent."""
    loss: float
    """In nats."""


class Choices:
    """What has been decided so far; the state of the phase."""

    def __init__(self, space: SearchSpace, settings: Mapping[str, Any]):
        """Start with all edges and nodes open.

        Args:
            space: The search space.
            settings: Those of the selection; a resumed phase must have the same.
        """
        self.space = space
        self.settings = dict(settings)
        self.decisions: list[dict[str, Any]] = []
        """What decisions.json holds."""
        self.operators: dict[str, dict[int, int]] = {group: {} for group in space.groups}
        """By group, the column of the operator that each decided edge keeps."""
        self.dropped: dict[str, set[int]] = {group: set() for group in space.groups}
        """By group, the edges that no longer reach their node."""

    def add(self, decision: dict[str, Any]) -> None:
        """Apply a decision."""
        self.decisions.append(decision)
        group = decision["group"]
        if "operator" in decision:
            column = self.space.primitives.index(decision["operator"])
            self.operators[group][decision["edge"]] = column
        else:
            incoming = self.space.incoming(decision["node"])
            self.dropped[group] |= set(incoming) - set(decision["kept_edges"])

    def removed(self, group: str) -> list[frozenset[int]]:
        """Return, for each edge, the columns of the operators that decisions have removed."""
        columns = frozenset(range(len(self.space.primitives)))
        kept = self.operators[group]
        return [
            columns
            if edge in self.dropped[group]
            else (columns - {kept[edge]} if edge in kept else frozenset())
            for edge in range(self.space.num_edges)
        ]

    def apply(self, group: str, weights: EdgeWeights) -> EdgeWeights:
        """Return one-hot rows for decided edges, zeros for dropped ones, others as they are.

        What the search has removed remains so.
        """
        ops = weights.ops
        by_search = weights.removed or (frozenset(),) * len(ops)
        removed = [a | b for a, b in zip(by_search, self.removed(group), strict=True)]
        is_fixed = torch.zeros(len(ops), 1, dtype=torch.bool, device=ops.device)
        fixed = torch.zeros_like(ops)
        for edge, column in self.operators[group].items():
            is_fixed[edge] = True
            if edge not in self.dropped[group]:
                fixed[edge, column] = 1
        return EdgeWeights(torch.where(is_fixed, fixed, ops), removed=tuple(removed))

    def state_dict(self) -> dict[str, Any]:
        """Return the state in forms that `torch.load(weights_only=True)` reads."""
        return {"decisions": self.decisions, "settings": self.settings}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned.

        Raises:
            RunDirectoryError: The phase was started with other settings.
        """
        if state["settings"] != self.settings:
            raise RunDirectoryError(
                f"resume: the selection was started with {state['settings']}, found "
                f"{self.settings}; give the same settings or start another run"
            )
        for decision in state["decisions"]:
            self.add(decision)


@dataclass(frozen=True)
class ProjectedMethod(Method):
    """The weights that a method ended with, on the edges that are still open."""

    runs_all_operators: ClassVar[bool] = False

    method: Method
    ended: Progress
    """The last epoch of the search: its temperature, say, remains."""
    choices: Choices

    def distribution(self, alphas: Alphas, progress: Progress) -> ArchWeights:  # noqa: D102
        weights = self.method.distribution(alphas, self.ended)
        return {group: self.choices.apply(group, weights[group]) for group in alphas.groups}

    def make_state(self, searcher: Searcher) -> Choices:  # noqa: D102
        return self.choices

    def measures(self, alphas: Alphas, progress: Progress) -> dict[str, float]:
        """Return how many edges have their operator, and how many of them are dropped."""
        return {
            "decided_edges": float(sum(map(len, self.choices.operators.values()))),
            "dropped_edges": float(sum(map(len, self.choices.dropped.values()))),
        }


class Projector(Searcher):
    """Tunes the supernet, and decides an edge or a node of each group every few epochs.

    Deviation: the reference measures with other augmentations and moves the running statistics in
    every pass; here all candidates of a round see the same images, and nothing moves, so that an
    edge of a node need not be measured again after another one was dropped. `none` is never chosen:
    no DARTS cell can hold it, and its removal changes no measurement. Terms and targets of the
    search are not added while tuning.
    """

    space: SearchSpace

    def __init__(self, *, method: ProjectedMethod, interval: int, by_loss: bool, **parts: Any):
        """Prepare.

        Args:
            method: Its choices are what is decided here.
            interval: Epochs of tuning between two rounds.
            by_loss: Whether the loss decides instead of the accuracy.
            **parts: The other arguments of `Searcher`.
        """
        super().__init__(method=method, **parts)
        self.choices = method.choices
        self.interval = interval
        self.by_loss = by_loss
        self._call = Substitute(self.net)

    def run_epoch(self) -> dict[str, Any]:
        """Decide if it is time to, then tune."""
        order = order_of(self.space, self.config.seed)
        due = (self.epoch // self.interval + 1) * len(self.space.groups)
        for group, kind, number in order[len(self.choices.decisions) : due]:
            decide = self.decide_operator if kind == "edge" else self.decide_node
            self.choices.add(decide(group, number))
        self.run.write(DECISIONS, json.dumps(self.choices.decisions, indent=1) + "\n")
        return super().run_epoch()

    def warning(self) -> None:
        """Say nothing: the collapse guard is about the search, which is over."""

    def decide_operator(self, group: str, edge: int) -> dict[str, Any]:
        """Return the operator of an edge whose removal hurts most; ties go to the first."""
        is_kept = self.alphas.kept(group)[edge].tolist()
        candidates = [
            name
            for name, stays in zip(self.space.primitives, is_kept, strict=True)
            if stays and not get_operator(name).is_zero
        ]
        without = {
            name: self.measure_without(group, edge, {self.space.primitives.index(name)})
            for name in candidates
        }
        best = min(candidates, key=lambda name: self._score(without[name]))
        return {
            "group": group,
            "edge": edge,
            "operator": best,
            "without": {name: value._asdict() for name, value in without.items()},
        }

    def decide_node(self, group: str, node: int) -> dict[str, Any]:
        """Return the two edges of a node whose removal hurts most; ties drop the later edge."""
        edges = list(self.space.incoming(node))
        columns = set(range(len(self.space.primitives)))
        without = {edge: self.measure_without(group, edge, columns) for edge in edges}
        ranked = sorted(edges, key=lambda edge: (self._score(without[edge]), edge))
        return {
            "group": group,
            "node": node,
            "kept_edges": sorted(ranked[:NUM_DECODED_EDGES]),
            "without": {str(edge): value._asdict() for edge, value in without.items()},
        }

    def _score(self, without: Without) -> float:
        return -without.loss if self.by_loss else without.accuracy

    @torch.no_grad()
    def measure_without(self, group: str, edge: int, columns: set[int]) -> Without:
        """Measure on the half that updates alpha, in training mode, with operators removed.

        The others keep their weights; nothing of the network changes.
        """
        weights = dict(self.distribution())
        rows = weights[group].ops.clone()
        rows[edge, list(columns)] = 0
        removed = list(weights[group].removed or ())
        removed[edge] = removed[edge] | columns
        weights[group] = EdgeWeights(rows, removed=tuple(removed))
        network = partial(self._call, dict(self.net.named_parameters()))
        meter = Meter(self.device)
        self.net.train()
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.config.seed + self.epoch)  # for operators with chance in them
            for images, targets in self.data.measure_loader(self.epoch):
                if len(targets):
                    with self.compute.autocast():
                        logits = network(images, weights)
                        loss = self.loss(logits, targets)
                    meter.update(loss, logits, targets)
                self.check_stop()
        meter = meter.over_ranks(self.ranks)
        return Without(meter.accuracy, meter.loss)


class Place(NamedTuple):
    """What is decided in one step."""

    group: str
    kind: str
    """ "edge", which keeps one operator, or "node", which keeps two edges."""
    number: int
    """Which edge or node."""


def order_of(space: SearchSpace, seed: int) -> list[Place]:
    """Return what is decided: the edges in random order, then the nodes; the groups take turns.

    Nodes with two inputs keep both, and where the family keeps all edges no node is decided. The
    order is a function of the seed, so that a resumed phase goes on as it would have.
    """
    generator = torch.Generator().manual_seed(seed)
    nodes = [
        node
        for node in space.nodes
        if space.kind.edges_per_node is not None
        and len(space.incoming(node)) > space.kind.edges_per_node
    ]
    places = []
    for kind, numbers in (("edge", range(space.num_edges)), ("node", nodes)):
        orders = []
        for group in space.groups:
            order = torch.randperm(len(numbers), generator=generator).tolist()
            orders.append([Place(group, kind, numbers[place]) for place in order])
        places += [place for turn in zip(*orders, strict=True) for place in turn]
    return places
