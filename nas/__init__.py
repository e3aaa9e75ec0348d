"""Differentiable architecture search with the sandglass block.

`import nas` loads nothing heavy: torch comes in with the packages that need it
(`nas.operators`, `nas.supernet`, `nas.search`, ...).
"""

__version__ = "0.1.0"
