"""The words that CONTRIBUTING.md rules out are nowhere: not in code, documents or help texts."""

import re
from pathlib import Path

import pytest

from nas.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[2]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
BRITISH = (
    r"(?:optimis|normalis|initialis|recognis|quantis|serialis|regularis|minimis|maximis|generalis"
    r"|organis|visualis|summaris|specialis|synchronis|parallelis|randomis|penalis)(?:e|ed|er|ers|es|ing|ation)"
    r"|colour\w*|behaviou?r(?<=our)\w*|neighbour\w*|favour\w*|centre[sd]?|grey|labelled|labelling"
    r"|modelled|cancelled|travelled|whilst|learnt"
)


def words():
    """The list in CONTRIBUTING.md."""
    (block,) = re.findall(
        r"^```text\n(.*?)^```", CONTRIBUTING.read_text(), re.DOTALL | re.MULTILINE
    )
    return [word.strip() for word in block.replace("\n", " ").split(",")]


PATTERN = re.compile(rf"\b(?:{'|'.join(map(re.escape, words()))}|{BRITISH})\b", re.IGNORECASE)


def files():
    """Python of the package and of the scripts, and every document, but for CONTRIBUTING.md."""
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]
    documents += ROOT.glob("experiments/*/README.md")
    code = [*ROOT.glob("nas/**/*.py"), *ROOT.glob("*.py"), *ROOT.glob("search_spaces/*.yaml")]
    return [path for path in documents + code if path != CONTRIBUTING]


def test_the_list_is_read():
    assert len(words()) > 15 and "mend" in words()
    assert [*map(PATTERN.findall, ["mended anew", "a Normaliser", "normalized", "stands."])] == [
        ["mended", "anew"],
        ["Normaliser"],
        [],
        ["stands"],
    ]


def test_files():
    """Each place with a word of the list, so that one run names all of them."""
    places = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in files()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for match in PATTERN.finditer(line)
    ]
    assert places == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command, capsys):
    """The help of every command, as it is printed."""
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert len(text) > 200
    assert PATTERN.findall(text) == []
