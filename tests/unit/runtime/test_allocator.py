"""Memory that a process keeps; in processes of their own, since the setting stays."""

import platform
import subprocess
import sys

import pytest

from nas.runtime import allocator

PROGRAM = """
import resource, torch
from nas.config import DeviceConfig
from nas.runtime.compute import select_compute
{first}
def new_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24) + 1  # two blocks of 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(min(new_pages() for _ in range(6)))  # the first ones fill the gaps of the heap
"""


def new_pages(first):
    """Pages that repeated steps take from the system, after what comes first."""
    command = [sys.executable, "-c", PROGRAM.format(first=first)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_a_step_finds_the_memory_of_the_one_before():
    """As the programs run on a CPU; without the setting every page is new."""
    kept = new_pages("select_compute(DeviceConfig(device='cpu'))")
    assert kept < 1000 < new_pages("")


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())
    assert not allocator.keep_freed_memory()
