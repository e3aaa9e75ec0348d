"""Settings of operators as plain values that genotype.json keeps and gives back as they were."""

import math
from collections.abc import Mapping
from typing import Any

from nas.errors import OperatorError, shown

_MAX_DEPTH = 8


def plain_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an operator in values that JSON has.

    Tuples become lists, and numbers and arrays of NumPy and torch become numbers and lists, so that
    what is read back equals what was registered.

    Args:
        name: The operator, for messages.
        settings: By name.

    Raises:
        OperatorError: JSON cannot hold the value; raised when the operator is registered, before a
            run starts.
    """
    return _plain(settings, f"operator {name!r}: settings", 0)


def _plain(value: Any, where: str, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise OperatorError(f"{where}: nested more than {_MAX_DEPTH} levels deep")
    if callable(getattr(value, "tolist", None)):  # of NumPy or torch
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, list | tuple):
        return [_plain(entry, f"{where}[{i}]", depth + 1) for i, entry in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {
            str.__str__(key): _plain(entry, f"{where}.{key}", depth + 1)
            for key, entry in value.items()
        }
    raise OperatorError(
        f"{where}: genotype.json cannot keep {shown(value)}; use text, finite numbers, booleans, "
        "lists, or mappings with text as keys"
    )
