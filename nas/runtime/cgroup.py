"""The memory that a container or a batch system allows (no torch).

Linux counts by control groups, in version 2 (one tree, `memory.max`) or 1 (a tree a resource,
`memory.limit_in_bytes`); a limit of any group above a process is one of its own.
"""

from pathlib import Path, PurePosixPath

_OWN_GROUPS = Path("/proc/self/cgroup")
_TREES = Path("/sys/fs/cgroup")


def memory_limit(own_groups: Path = _OWN_GROUPS, trees: Path = _TREES) -> int | None:
    """Return the smallest limit of the groups of this process, bytes, or None where none is set.

    Args:
        own_groups: Lines of `number:resources:/path/of/the/group`.
        trees: Where the trees of groups lie.
    """
    limits = []
    for line in _read(own_groups).splitlines():
        _, resources, group = (*line.split(":", 2), "", "")[:3]
        if resources == "":
            tree, name = trees, "memory.max"
        elif "memory" in resources.split(","):
            tree, name = trees / "memory", "memory.limit_in_bytes"
        else:
            continue
        own = PurePosixPath(group.lstrip("/"))
        # Inside a container the path may be the host's; the root of the tree is then the group.
        for folder in (own, *own.parents):
            text = _read(tree / folder / name).strip()
            if text.isdecimal():  # version 2 says "max" where there is no limit
                limits.append(int(text))
    return min(limits, default=None)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
