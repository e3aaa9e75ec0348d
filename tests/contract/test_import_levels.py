"""Data flows one way, and what needs no torch loads none."""

import subprocess
import sys

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports


def test_contracts_of_pyproject():
    """import-linter finds every module on its level."""
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS


@pytest.mark.parametrize(
    "module",
    [
        "nas",
        "nas.cli.search",
        "nas.space",
        "nas.genotype",
        "nas.config",
        "nas.report.cells.diagram",
    ],
)
def test_without_torch(module):
    """These are imported by programs that must answer at once."""
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
