"""YAML of the user: plain data, or one clear error."""

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import ConfigError, NasError, SearchSpaceError
from nas.strict_yaml import (
    MAX_BYTES,
    MAX_DEPTH,
    is_directory,
    is_file,
    parse_yaml,
    read_text,
    read_yaml,
)

BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
)


def parse(text):
    return parse_yaml(text, "here.yaml", SearchSpaceError)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=40, deadline=None)
@given(PLAIN)
def test_plain_data_comes_back_as_it_was(value):
    """What PyYAML writes of plain data is read back equal."""
    assert parse(yaml.safe_dump(value)) == value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: &x [1]\nb: *x\n", "line 2: not valid YAML: aliases"),
        (BOMB, "line 2: not valid YAML: aliases"),
        ("a: 1\nb: 2\na: 3\n", "line 3: not valid YAML: the key 'a' is there twice"),
        ("a: {b: 1, b: 2}", "line 1: not valid YAML: the key 'b' is there twice"),
        ("1: a", "line 1: not valid YAML: keys must be plain words, found 1"),
        ("~: a", "line 1: not valid YAML: keys must be plain words, found None"),
        ("? [a]\n: b", "line 1: not valid YAML: keys must be plain words, found ['a']"),
        ("a: !!timestamp x", "line 1: not valid YAML: tags"),
        ("a: !!bool x", "line 1: not valid YAML: tags"),
        ("a: !!int ''", "line 1: not valid YAML: tags"),
        ("a: !!python/object/apply:os.getcwd []", "line 1: not valid YAML: tags"),
        ("a: !mine x", "line 1: not valid YAML: tags"),
        ("true: a", "line 1: not valid YAML: keys must be plain words, found True"),
        ("a: " + "9" * 20, "line 1: not valid YAML: a whole number of more than 64 bits"),
        ("a: " + "9" * 5000, "line 1: not valid YAML: a whole number of more than 64 bits"),
        ("[" * 20000, "nested too deeply, more than 32"),
        ("- " * 500, "nested too deeply"),
        ("{a: " * 40 + "1" + "}" * 40, "nested too deeply"),
        ("a: 1\n---\nb: 2\n", "line 2: not valid YAML"),
        ("a:\n\t- b", "line 2: not valid YAML"),
        ("a: [1, 2", "line 1: not valid YAML"),
        ("a: b: c", "line 1: not valid YAML"),
        ("a: \0", "not valid YAML: unacceptable character"),
        ("a: \ud800", "not valid YAML: unacceptable character"),
        ("%YAML 9.0\n---\na", "line 1: not valid YAML"),
        ("a" * (MAX_BYTES + 1), f"{MAX_BYTES + 1} characters; at most {MAX_BYTES}"),
    ],
)
def test_everything_else_is_refused_at_once(text, found):
    """What is no plain YAML is one quick error that says the file, the line and the reason."""
    start_s = time.process_time()
    with pytest.raises(SearchSpaceError) as error:
        parse(text)
    assert time.process_time() - start_s < 2  # the bomb would take longer than the universe
    message = str(error.value)
    assert message.startswith("here.yaml: ")
    assert found in message
    assert "\n" not in message
    assert len(message) < 500


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("yes", "yes"),
        ("true", True),
        ("0123", 123),
        ("-07", -7),
        ("2024-01-01", "2024-01-01"),
        ("2024-99-99", "2024-99-99"),
        ("1:30", "1:30"),
        ("93e1204", "93e1204"),
        ("1.5", 1.5),
        ("1.0e-05", 1e-05),
        ("~", None),
        ("", None),
        ("=", "="),
        ("'1'", "1"),
    ],
)
def test_values_are_what_they_look_like(text, value):
    """The surprises of YAML 1.1 are left out; with `as_text` only null is not text."""
    assert parse(f"a: {text}") == {"a": value}
    as_text = parse_yaml(f"a: {text}", "here", SearchSpaceError, as_text=True)
    assert as_text == {"a": None if value is None else text.strip("'")}


def test_nesting_up_to_the_limit_is_read():
    """The limit on nesting is where it says."""
    value = parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for _ in range(MAX_DEPTH - 1):
        (value,) = value
    assert value == []
    with pytest.raises(SearchSpaceError, match="nested too deeply"):
        parse("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="ab:-[]{}*&!?|>'\"#,% \n\t<=~1", max_size=200))
def test_no_text_raises_anything_else(text):
    """Whatever stands in the text, it is data or the error that was asked for."""
    try:
        parse(text)
    except NasError as error:
        assert type(error) is SearchSpaceError


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a: \xff\xfe", "is not UTF-8 text"),
        (b"x" * (MAX_BYTES + 1), f"larger than {MAX_BYTES} bytes"),
        (b"a: [", "line 1: not valid YAML"),
    ],
)
def test_a_file_that_cannot_be_read_names_itself(tmp_path, content, found):
    """The error of a file has its path and the reason, in the class that was asked for."""
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_yaml(path, ConfigError)
    assert str(error.value).startswith(f"{path}: ")
    assert found in str(error.value)


@pytest.mark.parametrize(
    ("name", "found"),
    [("missing", "No such file"), (".", "Is a directory"), ("a\0b", "null byte")],
)
def test_what_is_no_file_is_an_error(tmp_path, name, found):
    """A missing file, a directory and an impossible path are refused alike."""
    with pytest.raises(ConfigError, match=found):
        read_text(tmp_path / name, ConfigError)


def test_an_endless_file_is_not_read_to_its_end(tmp_path):
    """No more is read than the limit, however large the file."""
    path = tmp_path / "sparse.yaml"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(ConfigError, match="larger than"):
        read_yaml(path, ConfigError)


def test_windows_files_are_read(tmp_path):
    """A byte order mark and CRLF line ends do not matter."""
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: [x, y]\r\n")
    assert read_yaml(path, ConfigError) == {"a": 1, "b": ["x", "y"]}


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3000, "a\0b", "\ud800", "missing"])
def test_what_cannot_be_a_path_is_no_file(tmp_path, name):
    """Text that the operating system refuses as a path is a file and a directory as little."""
    assert not is_file(tmp_path / name)
    assert not is_directory(tmp_path / name)


def test_files_and_directories_are_told_apart(tmp_path):
    """A file is a file and a directory a directory."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert is_file(tmp_path / "file")
    assert not is_directory(tmp_path / "file")
    assert is_directory(tmp_path)
    assert not is_file(tmp_path)
