"""The string of NAS-Bench-201: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`.

Nodes are separated by `+`; a node has `op~source` for each earlier node, in order. Node 0 is the
input of the cell, so the first entry is node 1.

Source: NAS-Bench-201 (arXiv:2001.00326) and its code.
"""

import re
from collections.abc import Iterable

from nas.errors import GenotypeError, shown
from nas.space.cell_files import MAX_NUM_NODES
from nas.space.parts import NAME_PATTERN

MAX_LENGTH = 1 << 14
_EXAMPLE = "|nor_conv_3x3~0|+|none~0|skip_connect~1|"
_HERE = {"avg_pool_3x3": "plain_avg_pool_3x3", "darts_avg_pool_3x3": "avg_pool_3x3"}
"""The benchmark has no BatchNorm behind its pooling in a search, so it is another operator; the
one of the DARTS space has a name in these strings that no cell of the benchmark has."""
_THERE = {here: there for there, here in _HERE.items()}


def is_arch_string(text: str) -> bool:
    """Whether a text can only be meant as such a string."""
    return text.strip().startswith("|")


def arch_string(nodes: Iterable[Iterable[tuple[str, int]]]) -> str:
    """Write the nodes of a cell, each with its (primitive, source) pairs."""
    return "+".join(
        "|" + "|".join(f"{_THERE.get(name, name)}~{source}" for name, source in node) + "|"
        for node in nodes
    )


def parse_arch_string(text: str, where: str) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Read the nodes of a cell.

    Args:
        text: The string.
        where: Its name, for messages.

    Raises:
        GenotypeError: It is another text, or a node does not read every earlier node once, in
            order.
    """
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise GenotypeError(f"{where}: {len(text)} characters; a cell has under {MAX_LENGTH}")
    parts = text.split("+")
    if len(parts) > MAX_NUM_NODES:
        raise GenotypeError(
            f"{where}: {len(parts)} nodes after the input; a cell has at most {MAX_NUM_NODES}"
        )
    return tuple(_node(part, target, where) for target, part in enumerate(parts, start=1))


def _node(part: str, target: int, where: str) -> tuple[tuple[str, int], ...]:
    entries = part.strip()[1:-1].split("|")
    if not re.fullmatch(r"\|[^+]+\|", part.strip()):
        raise GenotypeError(
            f"{where}: node {target}: expected |operator~source|...|, as in {_EXAMPLE}, found "
            f"{shown(part)}"
        )
    if len(entries) != target:
        raise GenotypeError(
            f"{where}: node {target}: found {len(entries)} operators; it has one from each of the "
            f"{target} earlier nodes"
        )
    return tuple(_pair(entry, source, target, where) for source, entry in enumerate(entries))


def _pair(entry: str, source: int, target: int, where: str) -> tuple[str, int]:
    name, _, number = entry.partition("~")
    if number != str(source):
        raise GenotypeError(
            f"{where}: node {target}: expected operator~{source}, found {shown(entry)}; the "
            "sources are in order"
        )
    if not NAME_PATTERN.fullmatch(name):
        raise GenotypeError(f"{where}: node {target}: {shown(name)} is not the name of an operator")
    return _HERE.get(name, name), source
