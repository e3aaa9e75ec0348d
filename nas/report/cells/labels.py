"""What a picture calls an operator, and how untrusted text is put into a picture.

A genotype may come from anywhere. Its labels are shown, never interpreted: they are cut to
one short printable line and escaped for graphviz.
"""

import html
from collections.abc import Sequence

from nas.errors import GenotypeError, close_matches
from nas.genotype import Genotype
from nas.primitives import BUILT_IN, Primitive

MAX_LENGTH = 32
"""Characters of a label; longer ones are cut and end in '...'."""


def describe(genotype: Genotype, name: str) -> Primitive:
    """Return the label and the family of a primitive of a genotype.

    The descriptions in the genotype come first, then the built-in ones.

    Raises:
        GenotypeError: Neither knows the primitive.
    """
    if description := genotype.operators.get(name):
        return Primitive(name, description["label"], description["family"])
    if name in BUILT_IN:
        return BUILT_IN[name]
    known = [*genotype.operators, *BUILT_IN]
    raise GenotypeError(
        f"unknown primitive {printable(name)!r}; {close_matches(name, known)}. If it comes from "
        "a plug-in, give the genotype.json of its search, which carries its label and family"
    )


def printable(text: str, max_length: int = MAX_LENGTH) -> str:
    """Return text as one line of printable characters, at most `max_length` of them.

    What is not printable becomes '?': a control character could break the picture, and a lone
    surrogate cannot even be written as UTF-8.
    """
    line = "".join(character if character.isprintable() else "?" for character in text.strip())
    return line if len(line) <= max_length else f"{line[: max_length - 3]}..."


def distinct(texts: Sequence[str], max_length: int = MAX_LENGTH) -> list[str]:
    """Return printable texts of which different ones stay different when they are cut.

    Where two would be cut to the same text, they keep their beginning and their end; where that
    is not enough, each gets its number in the list.
    """
    lines = [printable(text, max_length) for text in texts]

    def middle(index: int) -> str:
        line = printable(texts[index], len(texts[index]) + 1)
        tail = (max_length - 3) // 2
        return (
            line if len(line) <= max_length else f"{line[: max_length - 3 - tail]}...{line[-tail:]}"
        )

    def numbered(index: int) -> str:
        mark = f" ({index})"
        return f"{printable(texts[index], max_length - len(mark))}{mark}"

    for shortened in (middle, numbered):
        meanings: dict[str, set[str]] = {}
        for text, line in zip(texts, lines, strict=True):
            meanings.setdefault(line, set()).add(text)
        for index, line in enumerate(lines):
            if len(meanings[line]) > 1:
                lines[index] = shortened(index)
    return lines


def escaped(text: str, max_length: int = MAX_LENGTH) -> str:
    """Return printable text that a label of graphviz, plain or HTML-like, shows as it is."""
    # The backslash is doubled because graphviz reads "\\N" and the like as the name of a node.
    return html.escape(printable(text, max_length)).replace("\\", "\\\\")
