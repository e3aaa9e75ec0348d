"""Whether lists read from outside can be the cells of a genotype."""

from typing import Any

from nas.errors import GenotypeError, shown
from nas.space.cell_files import MAX_NUM_NODES
from nas.space.parts import NAME_PATTERN

MAX_PAIRS = 64
"""Entries of one node; DARTS has two."""


def check_nodes(nodes: Any, where: str, num_inputs: int) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Return the nodes of a cell as tuples, or raise GenotypeError saying what is wrong."""
    if not isinstance(nodes, list | tuple) or not 1 <= len(nodes) <= MAX_NUM_NODES:
        raise GenotypeError(f"{where}: expected a list of 1 to {MAX_NUM_NODES} nodes")
    checked = []
    for target, node in enumerate(nodes, start=num_inputs):
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


def check_complete(
    nodes: tuple[tuple[tuple[str, int], ...], ...], where: str, num_inputs: int
) -> None:
    """Raise GenotypeError where a node does not read every earlier node once, in order."""
    for target, node in enumerate(nodes, start=num_inputs):
        sources = [source for _, source in node]
        if sources != list(range(target)):
            raise GenotypeError(
                f"{where}: node {target}: expected an operator from each of the nodes "
                f"{', '.join(map(str, range(target)))}, in this order, found "
                f"{', '.join(map(str, sources))}"
            )


def check_concat(concat: Any, limit: int, where: str) -> tuple[int, ...]:
    """Return the indices of the concatenated nodes as a tuple, or raise GenotypeError.

    Args:
        concat: What was read.
        limit: The number of nodes, the inputs included.
        where: Its name, for messages.
    """
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
