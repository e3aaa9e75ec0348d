"""Lists, names and numbers in parsed text, also as NumPy and torch print them; no evaluation."""

import ast
from typing import Any

from nas.errors import GenotypeError

_MAX_RANGE = 64
_LISTS = {"list", "tuple", "array", "asarray", "tensor"}
_NUMBERS = {"int", "int8", "int16", "int32", "int64", "intp", "uint8", "uint16", "uint32", "uint64"}
_NUMBERS |= {"float", "float16", "float32", "float64", "tensor"}
_RANGES = {"range", "arange"}
_TEXTS = {"str", "str_"}


def plain_value(node: ast.expr) -> Any:
    """Return lists, text and numbers.

    Read are literals, `range(...)` of whole numbers, and calls that only wrap such a value:
    `np.int64(3)`, `np.str_('none')`, `list(range(2, 6))`, `array([2, 3])`, `tensor(0.1)`.

    Raises:
        GenotypeError: There is anything else.
    """
    if isinstance(node, ast.List | ast.Tuple):
        return [plain_value(element) for element in node.elts]
    if isinstance(node, ast.Constant) and type(node.value) in (str, int, float):
        return node.value
    if isinstance(node, ast.Call) and (name := _function(node.func)) is not None:
        if name in _RANGES and (numbers := _range(node)) is not None:
            return numbers
        if len(node.args) == 1 and _only_a_type(node):
            value = plain_value(node.args[0])
            if isinstance(value, list) and name in _LISTS:
                return value
            if isinstance(value, int | float) and name in _NUMBERS:
                return value
            if isinstance(value, str) and name in _TEXTS:
                return value
    raise GenotypeError(
        f"line {node.lineno}, column {node.col_offset + 1}: only lists, tuples, names in quotes, "
        "numbers, range(start, stop) and NumPy's forms of these are read"
    )


def _function(node: ast.expr) -> str | None:
    """Return the last part of a name such as `np.int64`."""
    if isinstance(node, ast.Attribute):
        return node.attr if isinstance(node.value, ast.Name) else None
    return node.id if isinstance(node, ast.Name) else None


def _only_a_type(node: ast.Call) -> bool:
    """Whether the keywords say nothing but the type and the place of the numbers."""
    return all(keyword.arg in ("dtype", "device") for keyword in node.keywords)


def _range(node: ast.Call) -> list[int] | None:
    limits: list[int] = []
    for argument in node.args:
        value = argument.value if isinstance(argument, ast.Constant) else None
        if type(value) is not int or not 0 <= value <= _MAX_RANGE:
            return None
        limits.append(value)
    if node.keywords or not 1 <= len(limits) <= 3 or limits[2:] == [0]:
        return None
    return list(range(*limits))
