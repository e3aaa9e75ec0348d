"""The cells of a genotype in the forms of other codes, as one list of pairs per node."""

import logging
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from nas.errors import GenotypeError, shown
from nas.genotype.names import name_here
from nas.space import NUM_INPUTS
from nas.space.cell_files import MAX_NUM_NODES

_log = logging.getLogger(__name__)

Numbers = dict[int, int]
"""The number of a node here for each number elsewhere."""


def without_gaps(
    entries: Iterable[tuple[str, int, int]],
) -> tuple[list[list[tuple[str, int]]], Numbers]:
    """Return the nodes that have entries, numbered one after the other.

    A node without entries does not exist. An entry that reads one is left out, and then a node
    that keeps no entry.

    Args:
        entries: (primitive, target, source), the source below the target.

    Returns:
        The (primitive, source) pairs of each node, and the new number of each that exists, the
        inputs included.
    """
    numbers = {index: index for index in range(NUM_INPUTS)}
    nodes: list[list[tuple[str, int]]] = []
    for target, group in groupby(sorted(entries, key=lambda e: e[1]), key=lambda e: e[1]):
        kept = [(name, numbers[source]) for name, _, source in group if source in numbers]
        if kept:
            numbers[target] = NUM_INPUTS + len(nodes)
            nodes.append(kept)
    return nodes, numbers


def read_cell(cell: Any, concat: Any, name: str) -> tuple[list[list], Any]:
    """Return one list of (primitive, source) pairs per node, and the concatenated nodes.

    Args:
        cell: A flat list with two pairs per node, or one list of pairs per node. A pair may also
            have a weight, `(name, source, 0.13)`, which is dropped, or the target,
            `(name, target, source)`; then nodes may be missing, which FairDARTS leaves out.
        concat: The nodes that are concatenated, by the numbers of the text.
        name: The name of the cell, for messages.

    Raises:
        GenotypeError: It is none of these.
    """
    if not isinstance(cell, list) or not all(isinstance(entry, list) for entry in cell):
        raise GenotypeError(f"{name}: expected a list of ('primitive', source) pairs")
    is_flat = bool(cell) and all(entry and isinstance(entry[0], str) for entry in cell)
    if not is_flat:
        return [_node(node, index + NUM_INPUTS, name) for index, node in enumerate(cell)], concat
    if all(len(entry) == 3 and _are_whole(entry[1:]) for entry in cell):
        return _by_target(cell, concat, name)
    if len(cell) % 2:
        raise GenotypeError(f"{name}: a flat list has two pairs per node; this one has {len(cell)}")
    pairs = [_pair(entry, name) for entry in cell]
    return [pairs[index : index + 2] for index in range(0, len(pairs), 2)], concat


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


def _by_target(cell: list[list], concat: Any, name: str) -> tuple[list[list], Any]:
    """Group (name, target, source) entries; the target is the larger of the two numbers."""
    entries = []
    for entry in cell:
        _check_target(entry, max(entry[1:]), name)
        if not NUM_INPUTS <= max(entry[1:]) < NUM_INPUTS + MAX_NUM_NODES or min(entry[1:]) < 0:
            raise GenotypeError(
                f"{name}: {shown(tuple(entry))}: expected a target from {NUM_INPUTS} to "
                f"{NUM_INPUTS + MAX_NUM_NODES - 1} and a source from 0"
            )
        entries.append((name_here(entry[0]), max(entry[1:]), min(entry[1:])))
    nodes, numbers = without_gaps(entries)
    named = [target for _, target, _ in entries]
    if isinstance(concat, list):
        named += [node for node in concat if node in range(NUM_INPUTS + MAX_NUM_NODES)]
        concat = [
            numbers.get(node, node) for node in concat if node not in named or node in numbers
        ]
    if missing := sorted(set(range(max(named, default=0) + 1)) - numbers.keys()):
        _log.warning(
            "%s: nothing leads to node %s; such nodes do not exist here, and those after them "
            "have lower numbers",
            name,
            ", ".join(map(str, missing)),
        )
    return [[list(pair) for pair in node] for node in nodes], concat


def _check_target(entry: list, target: int, name: str) -> None:
    if max(entry[1:]) != target or min(entry[1:]) == target:
        raise GenotypeError(
            f"{name}: {shown(tuple(entry))} is neither (primitive, source, weight) nor "
            f"(primitive, target, source) of node {target}"
        )


def _are_whole(values: list) -> bool:
    return all(isinstance(value, int) for value in values)
