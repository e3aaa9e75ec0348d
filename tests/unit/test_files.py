import pytest

from nas.errors import ReportError
from nas.files import file_name, replacing, write_files


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


def test_a_failed_write_leaves_no_temporary_file(tmp_path):
    """When the body raises, the old file is whole and nothing else is in the folder."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), replacing(path) as stream:
        stream.write(b"half")
        raise KeyError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["darts", "darts+sandglass", "DARTS_V2", "a.b-c_d"])
def test_plain_names_are_their_own(text):
    """Letters, digits and `_.+-` need no change."""
    assert file_name(text) == text


def test_names_of_files_never_collide():
    """Texts that look equal once their other characters are gone get different names."""
    folder = "a_long_folder_name_" * 8
    texts = [f"{folder}/a.yaml", f"{folder}/b.yaml", "a/b", "a_b", "a b", "a:b", "_a_b", "", "/"]
    texts += ["a=1,b=2", "a=1_b=2", "x" * 81, "x" * 80, "é" * 200, "é" * 199, "\ud800", ".", ".."]
    names = [file_name(text) for text in texts]
    assert len(set(names)) == len(texts)
    assert all(len(name.encode()) <= 220 and name.strip(".") for name in names)
    assert all(not set(name) & set("/=,: ") for name in names)
