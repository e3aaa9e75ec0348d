"""Differentiable architecture search with the sandglass block.

`import nas` loads nothing heavy; torch is imported when something that needs it is first used.
`nas.load` reads a trained network.
"""

import importlib
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "load":  # not an import statement, which would put nas.train below everything
        return importlib.import_module("nas.train.inference").load_trained
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
