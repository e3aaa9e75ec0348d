"""The collapse guard: numbers of an epoch that show a search going wrong, and when to warn.

DARTS is known to end in cells of skip connections. Nothing here changes a search.

Source: DARTS+ (arXiv:1909.06035) and P-DARTS (arXiv:1904.12760) for skip connections as the sign.

Shape legend: E edges, P primitives.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from nas.genotype import Genotype
from nas.operators import can_be_decoded, get_operator
from nas.search.method import strengths
from nas.search.stops import EigenvalueGrows
from nas.space import SearchSpace
from nas.supernet import ArchWeights

_WATCHED = "normal"
"""The group whose skip connections are a sign; good reduction cells may consist of them."""
_ADVICE = (
    "to keep the cell of an earlier epoch, search with `stop` skip_count or eigenvalue; to choose "
    "without the alphas, with `selection` darts_pt; to prevent it, with `term` beta_decay or "
    "`method` pc_darts"
)


def collapse_numbers(
    weights: ArchWeights, genotype: Genotype, space: SearchSpace
) -> dict[str, dict[str, float]]:
    """Return the numbers of the guard, by name and group.

    Args:
        weights: What the method measures and decodes, by group.
        genotype: What it decodes.
        space: The search space.

    Returns:
        `edge_margin`: how much stronger the weakest kept edge of a node is than the strongest
        dropped one, by the rule of the family; the mean over the nodes that drop an edge.
        `operator_margin`: how much stronger the best operator of an edge is than the second one,
        the mean over the edges that have a choice. `parameter_free`: the share of operators
        without parameters in the decoded cell. `max_weight`: the mean over the edges of the
        largest weight, which is 1 where a sampler has become one-hot. `none` counts in the
        margins only where the family decodes it. A group in which nothing is dropped has no
        margin.
    """
    numbers: dict[str, dict[str, float]] = {
        "edge_margin": {},
        "operator_margin": {},
        "parameter_free": {},
        "max_weight": {},
    }
    for group, table in strengths(weights).items():
        ranked = _ranked_strengths(table, space, group)
        margins = {
            "operator_margin": [edge[0] - edge[1] for edge in ranked if len(edge) > 1],
            "edge_margin": list(_edge_margins(ranked, space)),
        }
        for name, values in margins.items():
            if values:
                numbers[name][group] = sum(values) / len(values)
        names = [name for node in getattr(genotype, group) for name, _ in node]
        free = sum(get_operator(name).parameter_free for name in names)
        numbers["parameter_free"][group] = free / max(len(names), 1)
        numbers["max_weight"][group] = weights[group].ops.max(dim=1).values.mean().item()
    return {name: by_group for name, by_group in numbers.items() if by_group}


def _ranked_strengths(table: Tensor, space: SearchSpace, group: str) -> list[list[float]]:
    """Return, for each edge, the strengths of what can be decoded, strongest first."""
    decodable = [can_be_decoded(name, space) for name in space.primitives]
    return [
        sorted(
            (
                value
                for value, exists, passes in zip(row, present, decodable, strict=True)
                if exists and passes
            ),
            reverse=True,
        )
        for row, present in zip(table.tolist(), space.mask(group), strict=True)
    ]


def _edge_margins(ranked: list[list[float]], space: SearchSpace) -> Iterator[float]:
    kept = space.kind.edges_per_node
    if kept is None:
        return
    for target in space.nodes:
        edges = sorted((ranked[e][0] for e in space.incoming(target) if ranked[e]), reverse=True)
        if len(edges) > kept:
            yield edges[kept - 1] - edges[kept]


def collapse_warning(records: Sequence[dict[str, Any]], space: SearchSpace) -> str | None:
    """Return a line that warns of a sign of collapse when it first appears, else None.

    The signs are a normal cell that consists of skip connections for at least half, and for at
    least twice what chance would give (or entirely); and, where the eigenvalue is monitored, the
    growth that ends a search by DARTS-ES.

    Args:
        records: The lines of metrics.jsonl so far; older ones may lack the numbers of the guard.
        space: The search space.
    """
    signs = []
    if records and _is_sign(records[-1], space):
        if not any(_is_sign(record, space) for record in records[:-1]):
            count = records[-1]["num_skips"][_WATCHED]
            total = _num_entries(records[-1])
            signs.append(
                f"{count} of {total} operators of the {_WATCHED} cell are skip connections"
            )
    growth = EigenvalueGrows()(records)
    if growth is not None and EigenvalueGrows()(records[:-1]) is None:
        signs.append(growth.reason)
    if not signs:
        return None
    return (
        f"sign of collapse after epoch {records[-1]['epoch']}: {'; '.join(signs)}; the search goes "
        f"on unchanged; {_ADVICE}"
    )


def _is_sign(record: dict[str, Any], space: SearchSpace) -> bool:
    count = record.get("num_skips", {}).get(_WATCHED)
    if count is None:
        return False
    share = count / max(_num_entries(record), 1)
    return share >= max(0.5, min(1.0, 2 * _chance_of_skip(space)))


def _num_entries(record: dict[str, Any]) -> int:
    return sum(len(node) for node in record["genotype"][_WATCHED])


def _chance_of_skip(space: SearchSpace) -> float:
    """Return the share of skip connections in cells whose operators are picked at random."""
    shares = []
    for on_edge in space.groups[_WATCHED]:
        records = [get_operator(name) for name in on_edge if can_be_decoded(name, space)]
        shares.append(sum(record.is_identity for record in records) / max(len(records), 1))
    return sum(shares) / len(shares)
