"""The cells of a genotype in the forms of other codes, as one list of pairs per node."""

from typing import Any

from nas.errors import GenotypeError, shown
from nas.genotype.names import name_here
from nas.space import NUM_INPUTS


def read_cell(cell: Any, name: str) -> list[list]:
    """Return one list of (primitive, source) pairs per node.

    Args:
        cell: A flat list with two pairs per node, or one list of pairs per node. A pair may also
            have a weight, `(name, source, 0.13)`, which is dropped, or the target,
            `(name, target, source)`.
        name: The name of the cell, for messages.

    Raises:
        GenotypeError: It is none of these.
    """
    if not isinstance(cell, list) or not all(isinstance(entry, list) for entry in cell):
        raise GenotypeError(f"{name}: expected a list of ('primitive', source) pairs")
    is_flat = bool(cell) and all(entry and isinstance(entry[0], str) for entry in cell)
    if not is_flat:
        return [_node(node, index + NUM_INPUTS, name) for index, node in enumerate(cell)]
    if all(len(entry) == 3 and _are_whole(entry[1:]) for entry in cell):
        return _by_target(cell, name)
    if len(cell) % 2:
        raise GenotypeError(f"{name}: a flat list has two pairs per node; this one has {len(cell)}")
    pairs = [_pair(entry, name) for entry in cell]
    return [pairs[index : index + 2] for index in range(0, len(pairs), 2)]


def _node(node: list, target: int, name: str) -> list:
    pairs = []
    for entry in node:
        if isinstance(entry, list) and len(entry) == 3 and _are_whole(entry[1:]):
            _check_target(entry, target, name)
            entry = [entry[0], min(entry[1:])]
        pairs.append(_pair(entry, name))
    return pairs


def _pair(entry: Any, name: str) -> Any:
    """Return a pair; what is none is refused later, where the node is known."""
    if not isinstance(entry, list) or not entry or not isinstance(entry[0], str):
        return entry
    if len(entry) == 3 and isinstance(entry[2], float):
        entry = entry[:2]
    return [name_here(entry[0]), *entry[1:]]


def _by_target(cell: list[list], name: str) -> list[list]:
    """Group (name, target, source) entries; the target is the larger of the two numbers."""
    nodes: dict[int, list] = {}
    for entry in cell:
        target = max(entry[1:])
        _check_target(entry, target, name)
        nodes.setdefault(target, []).append([name_here(entry[0]), min(entry[1:])])
    expected = list(range(NUM_INPUTS, NUM_INPUTS + len(nodes)))
    if sorted(nodes) != expected:
        raise GenotypeError(
            f"{name}: the entries lead to the nodes {sorted(nodes)}; expected {expected}"
        )
    return [nodes[target] for target in expected]


def _check_target(entry: list, target: int, name: str) -> None:
    if max(entry[1:]) != target or min(entry[1:]) == target:
        raise GenotypeError(
            f"{name}: {shown(tuple(entry))} is neither (primitive, source, weight) nor "
            f"(primitive, target, source) of node {target}"
        )


def _are_whole(values: list) -> bool:
    return all(isinstance(value, int) for value in values)
