"""Operators: what may stand on an edge of a cell, in one registry open to plug-ins."""

import nas.operators.builtin
import nas.operators.nasbench201  # noqa: F401  (importing them registers operators)
from nas.operators.annotate import with_details
from nas.operators.registry import (
    Operator,
    build_operator,
    get_operator,
    list_operators,
    register_operator,
)
from nas.operators.resolve import (
    NUM_DECODED_EDGES,
    can_be_decoded,
    load_plugins,
    resolve,
    resolve_genotype,
)

__all__ = [
    "NUM_DECODED_EDGES",
    "Operator",
    "build_operator",
    "can_be_decoded",
    "get_operator",
    "list_operators",
    "load_plugins",
    "register_operator",
    "resolve",
    "resolve_genotype",
    "with_details",
]
