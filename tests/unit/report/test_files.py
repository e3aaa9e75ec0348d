import pytest

from nas.errors import ReportError
from nas.files import write_files


def test_folders_are_made_and_files_replaced(tmp_path):
    """Missing folders are made, an older file is replaced, and nothing else is left there."""
    path = tmp_path / "a" / "b" / "picture.svg"
    assert write_files({path: b"old"}) == [path]
    assert write_files({path: b"new"}) == [path]
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["picture.svg"]


def test_failure_leaves_the_older_files_whole(tmp_path):
    """When one of the files cannot be written, the others stay as they were."""
    first = tmp_path / "first.svg"
    first.write_bytes(b"old")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ReportError, match=r"second\.svg: cannot be written"):
        write_files({first: b"new", tmp_path / "file" / "second.svg": b"new"})
    assert first.read_bytes() == b"old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "first.svg"]
