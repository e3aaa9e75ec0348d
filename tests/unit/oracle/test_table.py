"""Tables are read, looked up, and refused where they are not whole."""

import gzip

import pytest

from nas.errors import GenotypeError
from nas.oracle.table import OracleError, Place, read_table
from tests.unit.oracle.conftest import ACCURACIES, ARCHS

ZIPPED = gzip.compress(b"arch,a\n", mtime=0)  # without the time, which would be in names of tests

BEST = ARCHS[-1]


def test_a_place_is_what_counting_says(write_table):
    """Rank, percentile and regret of every architecture; equal accuracies have equal ranks."""
    table = read_table(write_table())
    for arch, accuracy in zip(ARCHS, ACCURACIES, strict=True):
        better = sum(other > accuracy for other in ACCURACIES)
        worse = sum(other < accuracy for other in ACCURACIES)
        assert table.place_of(arch) == Place(accuracy, 1 + better, 100 * worse / 8, 80 - accuracy)


def test_the_column_and_the_compression(write_table, tmp_path):
    path = write_table()
    assert read_table(path).dataset == "first"
    assert read_table(path, "second").place_of(BEST).accuracy == 40
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert read_table(tmp_path / "table.csv.gz").accuracies == read_table(path).accuracies


ROWS = [f"{arch},50" for arch in ARCHS]


@pytest.mark.parametrize(
    ("lines", "parts"),
    [
        (["arch,a", *ROWS[:3], *ROWS[4:]], ["7 of the 8 architectures", f"missing is {ARCHS[3]}"]),
        (["arch,a", *ROWS, ROWS[2]], ["line 10", f"{ARCHS[2]} is there twice; first on line 4"]),
        (["arch,a", *ROWS[:7], f"{BEST},150"], ["line 9: a: expected an accuracy", "found '150'"]),
        (["arch,a", *ROWS[:7], f"{BEST},-1"], ["line 9", "found '-1'"]),
        (["arch,a", *ROWS[:7], f"{BEST},nan"], ["line 9", "found 'nan'"]),
        (["arch,a", *ROWS[:7], f"{BEST},good"], ["line 9", "found 'good'"]),
        (["arch,a", *ROWS[:7], f"{BEST},"], ["line 9", "found ''"]),
        (["arch,a", *ROWS[:7], BEST], ["line 9: expected 2 values, found 1"]),
        (["arch,a", *ROWS, "|x~0|,50"], ["|x~0| has 1 nodes after the input", "has 2"]),
        (["arch,a", "|x~0|+|y~0|,50"], ["line 2: node 2: found 1 operators"]),
        (["arch,a", "x,50"], ["line 2: node 1: expected |operator~source|"]),
        (["arch", *ARCHS], ["line 1: expected arch and then the names of data sets"]),
        (["name,a", *ROWS], ["line 1: expected arch", "found 'name,a'"]),
        (["arch,a,a", *ROWS], ["line 1: expected arch"]),
        (["arch,a"], ["has no architectures"]),
        ([""], ["line 1: expected arch"]),
        (["arch,a", '"|x~0|,50'], ["not CSV"]),
    ],
)
def test_a_table_that_is_not_whole_is_one_clear_line(write_table, lines, parts):
    with pytest.raises(OracleError) as error:
        read_table(write_table(lines))
    assert "\n" not in str(error.value)
    assert all(part in str(error.value) for part in parts), str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.csv", None, "missing.csv: cannot be read: No such file"),
        ("table.csv.gz", b"arch,a\n", "table.csv.gz: cannot be read: Not a gzipped file"),
        ("table.csv.gz", ZIPPED[:-9], "table.csv.gz: cannot be read: "),
        ("table.csv", ZIPPED, "table.csv: not text in UTF-8"),
        ("table.csv", b"\x80\x04K*.", "table.csv: not text in UTF-8"),
    ],
)
def test_what_is_no_table(tmp_path, name, content, message):
    """A pickle is never loaded."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(OracleError, match=message):
        read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("|x~0|", r"\|x~0\|: has 1 nodes after the input, the architectures of .* have 2"),
        ("|x~0|+|y~0|x~1|", r"unknown operator 'y'; .*x"),
    ],
)
def test_an_architecture_that_is_not_in_the_table(write_table, arch, message):
    with pytest.raises(OracleError, match=message):
        read_table(write_table()).place_of(arch)


def test_an_architecture_is_read_as_other_strings_are(write_table):
    """Whitespace does not matter, and what is no string is refused by name."""
    table = read_table(write_table())
    assert table.place_of(" |x~0| + |none~0|x~1| ") == table.place_of("|x~0|+|none~0|x~1|")
    with pytest.raises(GenotypeError, match="architecture: node 2: found 1 operators"):
        table.place_of("|x~0|+|x~0|")


def test_an_unknown_data_set(write_table):
    with pytest.raises(OracleError, match=r"dataset: .* no column 'secnd'; did you mean 'second'"):
        read_table(write_table(), "secnd")
