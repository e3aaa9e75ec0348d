"""The README's table of search methods is complete."""

import re

from nas.search import list_methods
from tests.e2e.documents import README


def test_every_method_has_a_row():
    section = README.read_text().partition("## Search methods")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(list_methods())
