"""Operators: what may stand on an edge of a cell, in one registry open to plug-ins."""

import nas.operators.builtin  # noqa: F401  (importing it registers them)
from nas.operators.annotate import with_details
from nas.operators.registry import (
    Operator,
    build_operator,
    get_operator,
    list_operators,
    register_operator,
)
from nas.operators.resolve import NUM_DECODED_EDGES, load_plugins, resolve, resolve_genotype

__all__ = [
    "NUM_DECODED_EDGES",
    "Operator",
    "build_operator",
    "get_operator",
    "list_operators",
    "load_plugins",
    "register_operator",
    "resolve",
    "resolve_genotype",
    "with_details",
]
