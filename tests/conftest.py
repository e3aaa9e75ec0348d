"""What holds for every test."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# One thread per process: the suite runs one worker per core, and small tensors want no more.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_sessionstart():
    """Tests name files of the project relative to its root, wherever pytest is started."""
    os.chdir(ROOT)


@pytest.fixture(autouse=True)
def _own_registries():
    """Take back the operators, methods and other names that a test registers."""
    from nas.registry import temporary

    with temporary():
        yield
