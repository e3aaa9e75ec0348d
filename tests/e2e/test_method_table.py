"""The README's table of search methods is complete, and has the figures that were measured."""

import json
import re

from nas.search import list_methods
from tests.e2e.documents import README, ROOT


def rows():
    """Return the cells of each row, by method."""
    section = README.read_text().partition("## Search methods")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| `\w+` \|.*", section, re.MULTILINE)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name.strip("`"): rest for name, *rest in cells}


def test_every_method_has_a_row():
    assert set(rows()) == set(list_methods())


def test_time_and_memory_are_those_of_the_benchmark():
    """Against darts, which is 1; random takes no steps and uniform searches no cells."""
    measured = json.loads((ROOT / "benchmarks/results/methods.json").read_text())["methods"]
    for name, (_, _, time, memory, _) in rows().items():
        if name in ("random", "uniform"):
            assert (time, memory) == ("-", "-") and name not in measured
        else:
            found = measured[name]
            assert (time, memory) == (f"{found['time_ratio']:.2f}", f"{found['memory_ratio']:.2f}")
