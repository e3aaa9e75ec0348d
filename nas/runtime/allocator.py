"""The memory allocator of the C library, told to keep what one step frees for the next.

By default glibc hands blocks of more than 32 MiB, and free memory at the end of its heap, back to
the system, which then clears every page again when the next step asks for it. A training step on a
CPU frees and takes gigabytes.
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""The parameters of mallopt, from malloc.h."""
_NEVER = -1
_SIZES = (2**30, 2**25)
"""Blocks up to here are kept, bytes; the second is the largest that older versions take."""


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, up to its peak.

    Returns:
        Whether the C library took the settings; others than glibc have none.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # not there; on Windows no library
        return False
    keeps_blocks = any(mallopt(_MMAP_THRESHOLD, size) for size in _SIZES)
    return keeps_blocks and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
