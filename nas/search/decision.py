"""How far the decision of a search is from chance: did the alphas move, and consistently?

Everything is computed from the records of the epochs. A *lead* is how much stronger one candidate
is than another: the best operator of an edge than the second one, the weakest kept edge of a node
than the strongest dropped one, as the last epoch ranks them. A search begins with equal strengths,
so the lead before the first epoch is 0. After T epochs, with leads l_1 to l_T,

    margin in units of its noise = l_T / (s * sqrt(T)),

where s is the standard deviation of the changes from epoch to epoch over the last epochs. The first
change is not in it: a search that decides at once and stays there is not noisy. If the leads were a
random walk, the margin would be about 1 in size; a consistent drift makes it grow with sqrt(T), and
so does a decision that stays what it is.

Epochs in which the alphas rest, such as those of a warm-up, are no steps. Operators that a second
stage removed are left out of all epochs, and the weights of the others scaled to the same sum, so
that removing them moves no lead.
"""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from nas.operators import can_be_decoded
from nas.records import pairs_left
from nas.space import SearchSpace, Space

WINDOW = 10
"""Changes from epoch to epoch that the noise is measured on."""
MIN_MARGIN = 2.0
"""Margins below this many times their noise could be chance."""
MAX_ENTROPY_SHARE = 0.999
"""Weights of this share of the highest entropy differ by about a twentieth and less."""

Strengths = list[list[float | None]]
"""(E, P), None where the search has no pair."""


def decision_numbers(
    records: Sequence[Mapping[str, Any]], space: Space
) -> dict[str, dict[str, float]]:
    """Return, by group, how far the decision of the last epoch is from chance.

    Args:
        records: Those of all epochs so far; ones without `arch_weights` are left out.
        space: The search space.

    Returns:
        For each group `entropy_share`, the entropy of the weights over that of equal weights, the
        mean over the edges; and, from the fourth epoch in which alphas move, `operator_margin` and
        `edge_margin`, the medians over the edges and over the nodes of the margins in units of
        their noise. A group in which no edge is dropped has no `edge_margin`.
    """
    records = [record for record in records if "arch_weights" in record]
    numbers = {}
    for group in space.groups if records else ():
        left = pairs_left(records[-1], group)
        history = [strengths_of(record, group, left) for record in _moving(records, group, left)]
        last = strengths_of(records[-1], group, left)
        numbers[group] = {"entropy_share": entropy_share(last)}
        for name, pairs in (
            ("operator_margin", _operator_pairs(last, space, group)),
            ("edge_margin", _edge_pairs(last, space, group)),
        ):
            margins = [
                margin
                for kept, dropped in pairs
                if (margin := in_noise([_lead(s, kept, dropped) for s in history])) is not None
            ]
            if margins:
                numbers[group][name] = statistics.median(margins)
    return numbers


def in_noise(leads: Sequence[float]) -> float | None:
    """Return the last lead in units of its noise; None if there are fewer than four.

    A lead without any noise is infinite, which records cannot hold: it is cut at 1e6.
    """
    changes = [after - before for before, after in itertools.pairwise(leads)]
    if len(changes) < 3:
        return None
    noise = statistics.stdev(changes[-WINDOW:]) * math.sqrt(len(leads))
    lead = leads[-1]
    return max(-1e6, min(1e6, lead / noise)) if noise else math.copysign(1e6, lead) * (lead != 0)


def entropy_share(strengths: Strengths) -> float:
    """Return the entropy of the weights over that of equal weights, the mean over the edges."""
    shares = []
    for row in strengths:
        present = [value for value in row if value is not None]
        total = sum(present)
        if len(present) > 1 and total > 0:
            entropy = -sum(p * math.log(p) for p in (v / total for v in present) if p > 0)
            shares.append(entropy / math.log(len(present)))
    return statistics.fmean(shares) if shares else 0.0


def chance_warning(numbers: Mapping[str, Mapping[str, float]], noun: str = "cells") -> str | None:
    """Return a line that says that what was found could be chance, and what to raise; else None.

    Args:
        numbers: What `decision_numbers` returned for the last epoch.
        noun: What was found.
    """
    reasons = []
    for group, found in numbers.items():
        signs = []
        if found["entropy_share"] > MAX_ENTROPY_SHARE:
            signs.append(f"entropy {100 * found['entropy_share']:.2f} % of its maximum")
        for what in ("operator", "edge"):
            margin = found.get(f"{what}_margin", MIN_MARGIN)
            if margin < MIN_MARGIN:
                signs.append(f"{what}s apart by {margin:.1f} times their noise")
        if signs:
            reasons.append(f"{group}: {', '.join(signs)}")
    if not reasons:
        return None
    return (
        f"the {noun} could as well be drawn by lot ({'; '.join(reasons)}); raise `epochs`, "
        "`max_images` or `alpha_learning_rate`"
    )


def strengths_of(record: Mapping[str, Any], group: str, left: list[list[bool]]) -> Strengths:
    """Return the strength of each operator on each edge: its weight times that of the edge.

    Args:
        record: Of an epoch.
        group: Of edges.
        left: (E, P). The other pairs are None, and these have the weight of the whole edge.
    """
    rows = record["arch_weights"][group]
    factors = record.get("edge_weights", {}).get(group, [1.0] * len(rows))
    strengths: Strengths = []
    for row, factor, stays in zip(rows, factors, left, strict=True):
        total = sum(value for value in row if value is not None)
        rest = sum(itertools.compress(row, stays))
        scale = factor * (total / rest) if rest else factor
        strengths.append(
            [value * scale if stay else None for value, stay in zip(row, stays, strict=True)]
        )
    return strengths


def _moving(
    records: Sequence[Mapping[str, Any]], group: str, left: list[list[bool]]
) -> list[Mapping[str, Any]]:
    """Return the records of the epochs in which alphas that are left have moved.

    The records do not have the first alphas. The first epoch counts unless the second one rests.
    """
    alphas = [
        [list(itertools.compress(*row)) for row in zip(record["alphas"][group], left, strict=True)]
        for record in records
    ]
    moved = [before != after for before, after in itertools.pairwise(alphas)]
    return list(itertools.compress(records, [moved[:1] != [False], *moved]))


Place = tuple[int, int]
"""An edge and a column."""


def _lead(strengths: Strengths, kept: Place, dropped: Place) -> float:
    return (strengths[kept[0]][kept[1]] or 0.0) - (strengths[dropped[0]][dropped[1]] or 0.0)


def _ranked(strengths: Strengths, space: Space, group: str) -> list[list[Place]]:
    """Return, for each row, the places of what can be decoded, strongest first."""
    columns = [c for c, name in enumerate(space.columns(group)) if can_be_decoded(name, space)]
    return [
        sorted(
            ((edge, column) for column in columns if row[column] is not None),
            key=lambda place, row=row: -row[place[1]],  # type: ignore[misc]
        )
        for edge, row in enumerate(strengths)
    ]


def _operator_pairs(strengths: Strengths, space: Space, group: str) -> list[tuple[Place, Place]]:
    """Return the best and the second operator of each edge that has a choice."""
    return [(r[0], r[1]) for r in _ranked(strengths, space, group) if len(r) > 1]


def _edge_pairs(strengths: Strengths, space: Space, group: str) -> list[tuple[Place, Place]]:
    """Return the weakest kept and the strongest dropped edge of each node that drops one."""
    kept = space.kind.edges_per_node
    if kept is None or not isinstance(space, SearchSpace):
        return []
    best = [ranked[0] if ranked else None for ranked in _ranked(strengths, space, group)]
    pairs = []
    for node in space.nodes:
        edges = [place for edge in space.incoming(node) if (place := best[edge]) is not None]
        edges.sort(key=lambda place: -(strengths[place[0]][place[1]] or 0.0))
        if len(edges) > kept:
            pairs.append((edges[kept - 1], edges[kept]))
    return pairs
