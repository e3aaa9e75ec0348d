"""Genotypes as other codes print and keep them: the tables of docs/genotypes.md, and more."""

import logging
import re
import time
from pathlib import Path

import pytest

from nas.errors import GenotypeError
from nas.genotype import Genotype, load_genotype
from nas.genotype.names import OTHER_NAMES, name_here
from nas.primitives import BUILT_IN

DOCS = Path(__file__).parents[3] / "docs" / "genotypes.md"
N = "[('skip_connect', 0), ('sep_conv_3x3', 1)]"
R = "[('max_pool_3x3', 0), ('max_pool_3x3', 1)]"
CELLS = Genotype(
    normal=((("skip_connect", 0), ("sep_conv_3x3", 1)),),
    normal_concat=(2,),
    reduce=((("max_pool_3x3", 0), ("max_pool_3x3", 1)),),
    reduce_concat=(2,),
)
FLAT = f"Genotype(normal={N}, normal_concat=range(2, 3), reduce={R}, reduce_concat=range(2, 3))"
OTHER = FLAT.replace("skip_connect", "none")


def rows(title):
    """The first and last cell of each row of a table in the documentation."""
    section = DOCS.read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    found = [row for row in re.findall(r"^\| (.*?) \| (`.*`) \|$", section, re.M)]
    assert found
    return [(first.strip("`"), last.strip("`")) for first, last in found]


def with_cells(example):
    """The example with the two cells in the place of N and R."""
    return re.sub(r"\b[NR]\b", lambda letter: N if letter[0] == "N" else R, example)


@pytest.mark.parametrize(("form", "example"), rows("What is read"))
def test_the_forms_of_the_table_are_read(tmp_path, form, example):
    """As text and from a file, and the cells are those that the text says."""
    text = with_cells(example)
    path = tmp_path / "cell.txt"
    path.write_text(text + "\n", encoding="utf-8")
    genotype = load_genotype(text)
    assert load_genotype(path) == genotype
    assert genotype.reduce_concat == genotype.normal_concat == (2,)
    for name in ("normal", "reduce"):
        (node,) = getattr(genotype, name)
        uses_none = "none" in example if name == "normal" else '"none"' in example
        expected = (("none", 0), ("none", 1)) if uses_none else getattr(CELLS, name)[0]
        assert node == expected, form


@pytest.mark.parametrize(("form", "example"), rows("What is refused"))
def test_the_forms_of_the_table_are_refused(form, example):
    """With one line."""
    with pytest.raises(GenotypeError) as error:
        load_genotype(with_cells(example))
    assert "\n" not in str(error.value), form


def test_the_table_of_names_is_the_one_of_the_code():
    """Row by row; every name here is built in and none of them is renamed."""
    assert dict(rows("Names of operators")) == OTHER_NAMES
    assert set(OTHER_NAMES.values()) <= BUILT_IN.keys()
    assert not OTHER_NAMES.keys() & BUILT_IN.keys()


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("conv 3x3", "conv_3x3"),
        ("max_pool 3x3", "max_pool_3x3"),
        ("Identity", "skip_connect"),
        ("Zero", "none"),
        ("conv 1x7+7x1", "conv_7x1_1x7"),
        ("sep_conv_3x3", "sep_conv_3x3"),
        ("my_own", "my_own"),
        ("My_Own", "My_Own"),
        ("conv 1x1", "conv_1x1"),
    ],
)
def test_names(there, here, caplog):
    """A name that changes is said."""
    assert name_here(there) == here
    assert (f"read the operator {there!r} as {here}" in caplog.text) == (there != here)


MODULE = f"""
from collections import namedtuple
Genotype = namedtuple('Genotype', 'normal normal_concat reduce reduce_concat')
PRIMITIVES = ['none', 'skip_connect']
# OLD = {OTHER.replace("none", "avg_pool_3x3")}
FIRST = {FLAT}
SECOND: Genotype = {OTHER.replace(", ", chr(10) + "    , ")}
LATEST = SECOND
"""


def test_one_of_several_in_a_file_of_python(tmp_path):
    """It is chosen by name, also by the name of an alias; comments do not count."""
    path = tmp_path / "genotypes.py"
    path.write_text(MODULE, encoding="utf-8")
    with pytest.raises(GenotypeError, match=r"holds 2 genotypes: FIRST, SECOND; name one as FILE:"):
        load_genotype(path)
    assert load_genotype(f"{path}:FIRST") == CELLS
    assert load_genotype(f"{path}:SECOND") == load_genotype(f"{path}:LATEST") != CELLS
    with pytest.raises(GenotypeError, match="no genotype is named 'SECON'; did you mean 'SECOND'"):
        load_genotype(f"{path}:SECON")
    with pytest.raises(GenotypeError, match="no genotype is named 'OLD'"):
        load_genotype(f"{path}:OLD")


@pytest.mark.parametrize("start", ["genotype = ", "INFO:root:", ""])
def test_the_last_one_of_a_log_is_read(start, caplog):
    """As it is the result, and a message says so; equal ones are one."""
    line = "2018-06-27 13:25:46,379 " + start
    log = f"epoch 0 lr 2.5e-2 (\n{line}{OTHER}\ntrain 001 [it's\n{line}{FLAT}\nvalid_acc 97.0)\n"
    assert load_genotype(log) == CELLS
    assert "holds 2 different genotypes; the last one is read" in caplog.text
    caplog.clear()
    assert load_genotype(f"{line}{FLAT}\n" * 3) == CELLS
    assert not caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + FLAT,
        FLAT.replace(", ", ",\r\n  "),
        f"print('{{}}'.format(1))\nx = {FLAT}  # found (in epoch 49",
        f'{{"epoch": 49, "genotype": "{FLAT}"}}',
        FLAT.replace("0)", "tensor(0))").replace("1)", "torch.tensor(1, device='cuda:0'))"),
        FLAT.replace("'skip_connect'", "np.str_('skip_connect')").replace("range", "np.arange"),
        FLAT.replace("range(2, 3)", "array([2], dtype=int64)"),
        f"({N}, (2,), {R}, (2,)) Genotype({N}, (2,), {R}, (2,))",
    ],
)
def test_more_forms(tmp_path, text):
    """Marks of other systems, NumPy, torch, and text around it."""
    path = tmp_path / "cell.txt"
    path.write_text(text, encoding="utf-8", newline="")
    assert load_genotype(path) == CELLS


def test_utf_16(tmp_path):
    """A log that PowerShell has redirected to a file."""
    path = tmp_path / "log.txt"
    path.write_text(f"genotype = {FLAT}\r\n", encoding="utf-16")
    assert load_genotype(path) == CELLS


def test_several_inputs_per_node_by_target():
    """FairDARTS keeps as many edges as pass a threshold; each names its target."""
    entries = "[('none', 2, 0), ('skip_connect', 3, 2), ('none', 3, 0), ('none', 3, 1)]"
    text = f"Genotype({entries}, range(2, 4), {R}, [2])"
    genotype = load_genotype(text)
    assert genotype.normal == (
        (("none", 0),),
        (("skip_connect", 2), ("none", 0), ("none", 1)),
    )
    swapped = re.sub(r"', (\d), (\d)\)", r"', \2, \1)", text)
    assert load_genotype(swapped) == genotype
    with pytest.raises(GenotypeError, match="expected a target from 2 to 17"):
        load_genotype(text.replace("', 3,", "', 18,"))


def test_nodes_without_inputs_do_not_exist(caplog):
    """FairDARTS leaves them out of the concatenation, and skips what reads them."""
    normal = "[('none', 2, 0), ('none', 4, 1), ('none', 4, 3), ('none', 5, 3), ('none', 6, 4)]"
    genotype = load_genotype(f"Genotype({normal}, range(2, 8), {R}, [2])")
    assert genotype.normal == ((("none", 0),), (("none", 1),), (("none", 3),))
    assert genotype.normal_concat == (2, 3, 4)
    assert "normal: nothing leads to node 3, 5, 7" in caplog.text


def test_a_path_with_brackets_is_a_path(tmp_path):
    """`runs/search (copy)/genotype.json` that does not exist is said to be no file."""
    with pytest.raises(GenotypeError, match="no published genotype and no file has this name"):
        load_genotype("runs/search (copy)/genotype.json")
    folder = tmp_path / "search (copy)"
    folder.mkdir()
    (folder / "genotype.json").write_text(CELLS.to_json(), encoding="utf-8")
    assert load_genotype(folder) == CELLS
    with pytest.raises(GenotypeError, match="no file has this name"):
        load_genotype("x" * 5000)


@pytest.mark.parametrize(
    "text",
    [
        "Genotype(" * 100_000,
        "Genotype('" * 100_000,
        "x = " * 200_000 + "Genotype(",
        "a." * 400_000 + "Genotype(",
        "'\\" * 400_000,
        "Genotype('" + "\\'" * 400_000,
        "Genotype(#" + "(" * 900_000,
        "{" + "'a': " * 10_000,
    ],
)
def test_long_texts_end_soon(text, caplog):
    """Whatever is in a file, the answer comes at once."""
    caplog.set_level(logging.WARNING)
    start_s = time.process_time()
    with pytest.raises(GenotypeError):
        Genotype.from_text(text)
    assert time.process_time() - start_s < 3
