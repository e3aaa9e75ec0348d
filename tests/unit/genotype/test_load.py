"""`load_genotype`: by published name, path, run directory or text."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import GenotypeError
from nas.genotype import load_genotype, published_genotypes

V2 = published_genotypes()["DARTS_V2"]


def refused(text):
    with pytest.raises(GenotypeError) as error:
        load_genotype(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000
    return str(error.value)


@pytest.mark.parametrize("name", published_genotypes())
def test_published_names_are_known(name):
    """A published genotype is found by its name."""
    assert load_genotype(name) == load_genotype(f" {name}\n") == published_genotypes()[name]


def test_the_second_order_cell_of_darts_is_the_published_one():
    """DARTS_V2 is the cell of DARTS, Fig. 4 and 5."""
    assert V2.normal == (
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 1), ("skip_connect", 0)),
        (("skip_connect", 0), ("dil_conv_3x3", 2)),
    )
    assert V2.reduce_concat == (2, 3, 4, 5)


@pytest.mark.parametrize("write", ["to_json", "to_text"])
@pytest.mark.parametrize("around", ["{}", "\n  {}\n\n"])
def test_text_and_json_are_read_as_they_stand(write, around):
    """The text itself may be given in place of a name."""
    assert load_genotype(around.format(getattr(V2, write)())) == V2


@pytest.mark.parametrize("write", ["to_json", "to_text"])
@pytest.mark.parametrize("name", ["genotype.json", "cell.txt", "no_suffix", "with (brackets) {1}"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_files_are_read_by_their_content(tmp_path, write, name, encoding):
    """A file holds JSON or text, whatever its name; a byte order mark does not matter."""
    path = tmp_path / name
    path.write_text("\n" + getattr(V2, write)(), encoding=encoding)
    assert load_genotype(path) == load_genotype(str(path)) == V2


def test_a_run_directory_stands_for_its_genotype(tmp_path):
    """A run directory is read through its genotype.json."""
    run = tmp_path / "run (2)"
    run.mkdir()
    (run / "genotype.json").write_text(V2.to_json(), encoding="utf-8")
    assert load_genotype(run) == load_genotype(f"{run}/") == V2


def test_a_run_directory_without_a_genotype_asks_whether_the_search_has_ended(tmp_path):
    """A search that is not at its end has no genotype yet, and the error says so."""
    message = refused(tmp_path)
    assert message.startswith(f"{tmp_path / 'genotype.json'}: ")
    assert "has the search of this run directory finished?" in message


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("DARTS_V3", "did you mean 'DARTS_V2' or 'DARTS_V1'"),
        ("darts_v2", "known: DARTS_V1, DARTS_V2"),
        ("zzz", "known: DARTS_V1, DARTS_V2"),
        ("", "genotype ''"),
        ("missing/genotype.json", "genotype 'missing/genotype.json'"),
        ("/dev/null", "genotype '/dev/null'"),
        ("a\0b", "genotype 'a\\x00b'"),
        ("x" * 300, "no published genotype and no file has this name"),
        ("x" * 10**6, "no published genotype and no file has this name"),
        ("a/" * 3000, "no published genotype and no file has this name"),
        ("\ud800", "no published genotype and no file has this name"),
        ("\u00fc", "no published genotype and no file has this name"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path, monkeypatch, name, found):
    """A name that is nothing is one short error, even where it can be no path at all."""
    monkeypatch.chdir(tmp_path)
    assert found in refused(name)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "was the file cut short?"),
        (b" \n", "was the file cut short?"),
        (V2.to_json().encode()[:200], "was the file cut short?"),
        (V2.to_text().encode()[:200], "cannot be parsed"),
        (b"PK\x03\x04\x80", "is not UTF-8 text"),
        (b"DARTS_V2", "expected Genotype("),
        (b"num_nodes: 4", "expected Genotype("),
        (b" " * (1 << 20) + b" ", "larger than 1048576 bytes"),
    ],
)
def test_a_file_without_a_genotype_names_itself(tmp_path, content, found):
    """The error of a file starts with its path and says what is wrong with it."""
    path = tmp_path / "genotype.json"
    path.write_bytes(content)
    message = refused(path)
    assert message.startswith(f"{path}: ")
    assert found in message


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="{}()\"'aG\0:/.", max_size=30))
def test_no_name_raises_anything_but_a_genotype_error(text):
    """Whatever is given, it is a genotype or a GenotypeError, in a moment."""
    start_s = time.process_time()
    with pytest.raises(GenotypeError):
        load_genotype(text)
    assert time.process_time() - start_s < 1
