"""The memory of the machine, and the limit of a control group in files like those of Linux."""

import pytest

from nas.runtime.memory import group_limit, physical_memory

V2 = {"memory.max": "max\n", "a/memory.max": "3000\n", "a/b/memory.max": "5000\n"}
V1 = {
    "memory/memory.limit_in_bytes": "9223372036854771712\n",
    "memory/a/b/memory.limit_in_bytes": "2000\n",
    "cpu/a/b/memory.limit_in_bytes": "1\n",
}


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        ("0::/a/b\n", V2, 3000),
        ("0::/\n", V2, None),
        ("0::/of/the/host\n", {"memory.max": "700\n"}, 700),
        ("5:cpu:/a/b\n4:hugetlb,memory:/a/b\n1:name=systemd:/\n", V1, 2000),
        ("", V2, None),
        ("nonsense\n\n", {"memory.max": "x\n"}, None),
    ],
)
def test_the_smallest_limit_counts(tmp_path, groups, files, limit):
    """The limit of the group itself or of one above it; None if there is none."""
    (tmp_path / "self").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "trees" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert group_limit(tmp_path / "self", tmp_path / "trees") == limit


def test_without_control_groups(tmp_path):
    """No files, no limit."""
    assert group_limit(tmp_path / "self", tmp_path / "trees") is None


def test_this_machine_has_memory():
    """The amount is plausible, in bytes."""
    assert 2**28 < physical_memory() < 2**46
