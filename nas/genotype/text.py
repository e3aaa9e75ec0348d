"""The text forms in which DARTS codes print genotypes, parsed with `ast` and never evaluated."""

import ast
import warnings
from typing import Any

from nas.errors import GenotypeError, shown

MAX_BYTES = 1 << 16
MAX_DEPTH = 16
_FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
_FORM = "Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), reduce=..., ...)"


def parse_text(text: str) -> dict[str, list]:
    """Parse `Genotype(normal=[...], normal_concat=..., reduce=[...], reduce_concat=...)`.

    Exactly two calls are read: `Genotype` with keywords and `range` with two whole numbers. The
    cells may be flat, two pairs a node (quark0/darts), or hold one list a node (khanrc/pt.darts).

    Args:
        text: At most 64 KiB.

    Returns:
        The four keywords; the cells as one list of pairs a node.

    Raises:
        GenotypeError: Anything else stands in the text.
    """
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise GenotypeError(f"a genotype's text is at most {MAX_BYTES} bytes")
    if _bracket_depth(text) > MAX_DEPTH:
        raise GenotypeError(f"nested more than {MAX_DEPTH} brackets deep; expected {_FORM}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SyntaxWarning: what a mere parse says of bad text
            call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as cause:
        raise GenotypeError(f"cannot be parsed; expected {_FORM}") from cause
    if not _is_call(call, "Genotype") or call.args:
        raise GenotypeError(f"expected {_FORM}")
    fields = {}
    for keyword in call.keywords:
        if keyword.arg not in _FIELDS or keyword.arg in fields:
            raise GenotypeError(
                f"unexpected keyword {shown(keyword.arg or '**')}; expected {_FORM}"
            )
        fields[keyword.arg] = _plain(keyword.value)
    if missing := [name for name in _FIELDS if name not in fields]:
        raise GenotypeError(f"without {', '.join(missing)}; expected {_FORM}")
    for name in ("normal", "reduce"):
        fields[name] = _one_list_a_node(fields[name], name)
    return fields


def _plain(node: ast.expr) -> Any:
    if isinstance(node, ast.List | ast.Tuple):
        return [_plain(element) for element in node.elts]
    if isinstance(node, ast.Constant) and type(node.value) in (str, int):
        return node.value
    if _is_call(node, "range") and len(node.args) == 2 and not node.keywords:
        start, stop = (_plain(argument) for argument in node.args)
        if isinstance(start, int) and isinstance(stop, int) and 0 <= start <= stop <= 64:
            return list(range(start, stop))
    raise GenotypeError(
        f"line {node.lineno}, column {node.col_offset + 1}: only lists, tuples, names in quotes, "
        "whole numbers and range(start, stop) are read"
    )


def _one_list_a_node(cell: Any, name: str) -> list:
    if not isinstance(cell, list) or not all(isinstance(entry, list) for entry in cell):
        raise GenotypeError(f"{name}: expected a list of ('primitive', source) pairs")
    flat = all(entry and isinstance(entry[0], str) for entry in cell)
    if not flat:
        return cell
    if len(cell) % 2:
        raise GenotypeError(f"{name}: a flat list has two pairs a node; this one has {len(cell)}")
    return [cell[index : index + 2] for index in range(0, len(cell), 2)]


def _is_call(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _bracket_depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest
