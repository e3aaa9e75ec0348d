"""Whether lists read from outside can be the cells of a genotype."""

from typing import Any

from nas.errors import GenotypeError, shown
from nas.space import NUM_INPUTS
from nas.space.files import MAX_NUM_NODES, NAME_PATTERN

MAX_PAIRS = 64
"""Entries of one node; DARTS has two."""


def check_nodes(nodes: Any, where: str) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Return the nodes of a cell as tuples, or raise GenotypeError saying what is wrong."""
    if not isinstance(nodes, list | tuple) or not 1 <= len(nodes) <= MAX_NUM_NODES:
        raise GenotypeError(f"{where}: expected a list of 1 to {MAX_NUM_NODES} nodes")
    checked = []
    for target, node in enumerate(nodes, start=NUM_INPUTS):
        if not isinstance(node, list | tuple) or not node:
            raise GenotypeError(
                f"{where}: node {target}: expected (primitive, source) pairs, found {shown(node)}"
            )
        if len(node) > MAX_PAIRS:
            raise GenotypeError(
                f"{where}: node {target}: {len(node)} pairs; a node has at most {MAX_PAIRS}"
            )
        checked.append(tuple(_check_pair(pair, target, where) for pair in node))
    return tuple(checked)


def check_concat(concat: Any, num_nodes: int, where: str) -> tuple[int, ...]:
    """Return the indices of the concatenated nodes as a tuple, or raise GenotypeError."""
    limit = NUM_INPUTS + num_nodes
    if not isinstance(concat, list | tuple) or not concat:
        raise GenotypeError(f"{where}: expected a list of nodes, found {shown(concat)}")
    for node in concat:
        if not _is_index(node) or not 0 <= node < limit:
            raise GenotypeError(f"{where}: there is no node {shown(node)}; nodes: 0 to {limit - 1}")
        if concat.count(node) > 1:
            raise GenotypeError(f"{where}: node {node} is there twice")
    return tuple(concat)


def _check_pair(pair: Any, target: int, where: str) -> tuple[str, int]:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise GenotypeError(
            f"{where}: node {target}: expected a (primitive, source) pair, found {shown(pair)}"
        )
    name, source = pair
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        raise GenotypeError(f"{where}: node {target}: {shown(name)} is not the name of a primitive")
    if not _is_index(source) or not 0 <= source < target:
        raise GenotypeError(
            f"{where}: node {target} cannot read node {shown(source)}; nodes: 0 to {target - 1}"
        )
    return name, source


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
