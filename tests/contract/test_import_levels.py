"""Data flows one way, and what needs no torch loads none."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS

ROOT = Path(__file__).parents[2]


def test_contracts_of_pyproject():
    """import-linter finds every module on its level. It sets logging, so it runs on its own."""
    code = "import sys; from importlinter.cli import lint_imports; "
    code += "sys.exit(lint_imports(no_cache=True))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == EXIT_STATUS_SUCCESS


@pytest.mark.parametrize(
    "module",
    [
        "nas",
        "nas.cli.search",
        "nas.cli.main",
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


def test_tests_do_not_import_benchmarks():
    """Benchmarks may use the reference forms in tests/, never the other way round."""
    pattern = re.compile(r"^\s*(from|import) benchmarks\b", re.MULTILINE)
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "nas").rglob("*.py")]
    assert len(files) > 100
    assert [str(path) for path in files if pattern.search(path.read_text())] == []
