"""What holds for every test."""

import os

import pytest

# One thread per process: the suite runs one worker per core, and small tensors want no more.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _own_registries():
    """Take back the operators, methods and other names that a test registers."""
    from nas.registry import temporary

    with temporary():
        yield
