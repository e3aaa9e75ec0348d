"""Find and read genotypes in the texts of other codes: parsed with `ast`, never evaluated.

docs/genotypes.md lists the forms.
"""

import ast
import logging
import re
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from nas.errors import GenotypeError, close_matches, shown
from nas.genotype.cells import read_cell
from nas.genotype.values import plain_value
from nas.space import CELL_TYPES

MAX_BYTES = 1 << 16
"""Of one genotype; the text around it may be longer."""
MAX_DEPTH = 16
_MAX_BROKEN = 64
"""Calls that are not closed; after these no more are looked for."""
FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
_IGNORED = ("connectN", "connects")
"""Fields of GDAS and SETN that are None in every cell."""
_FORM = "Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), reduce=..., ...)"
_START = re.compile(r"\bGenotype\s*\(")
_ASSIGNED = re.compile(r"([^\W\d]\w*)\s*(?::\s*[\w.]+\s*)?=\s*(?:\w+\.)?$")
_TOKEN = re.compile(r"""[()\[\]{}]|'(?:[^'\\\n]|\\.){0,200}'|"(?:[^"\\\n]|\\.){0,200}"|\#[^\n]*""")
_ALIAS = re.compile(r"^([^\W\d]\w*)\s*=\s*([^\W\d]\w*)\s*$", re.MULTILINE)
_log = logging.getLogger(__name__)


class _Call(NamedTuple):
    """A call of Genotype in a text."""

    name: str | None
    """What it is assigned to."""
    text: str


def parse_text(text: str, name: str | None = None) -> dict[str, list]:
    """Read the genotype in a text.

    Args:
        text: A call of `Genotype`, alone, assigned to a name, in a line of a log or in a file of
            Python; or a dict or list of the four fields.
        name: Which one to read, if the text assigns several names.

    Returns:
        The four fields; the cells as one list of pairs per node.

    Raises:
        GenotypeError: The text holds none, or several and `name` does not say which.
    """
    stripped = text.strip()
    if stripped[:1] in ("{", "[") and name is None and not _START.search(text):
        return _four_fields(_parse(stripped))
    call = _chosen(text, name)
    return _four_fields(_parse(stripped if call is None else call))


def _chosen(text: str, name: str | None) -> str | None:
    """Return the call that is meant; None if there is none, for the message of the parser."""
    candidates = list(_candidates(text))
    if name is not None:
        aliases = dict(_ALIAS.findall(text))
        wanted = aliases.get(name, name)
        named = [call.text for call in candidates if call.name == wanted]
        if not named:
            names = sorted({call.name for call in candidates if call.name} | aliases.keys())
            raise GenotypeError(f"no genotype is named {shown(name)}; {close_matches(name, names)}")
        return named[0]
    if not candidates:
        return None
    calls = list(dict.fromkeys(call.text for call in candidates))
    names = list(dict.fromkeys(call.name for call in candidates if call.name))
    is_log = len(names) <= 1 or {name.lower() for name in names} == {"genotype"}
    if len(calls) > 1 and not is_log:
        raise GenotypeError(
            f"holds {len(calls)} genotypes: {', '.join(names)[:200]}; name one as FILE:{names[0]}"
        )
    if len(calls) > 1:
        _log.warning("the text holds %d different genotypes; the last one is read", len(calls))
    return candidates[-1].text


def _candidates(text: str) -> Iterator[_Call]:
    """Find the calls of Genotype in a text that need not be Python, in order."""
    position = num_broken = 0
    while num_broken < _MAX_BROKEN and (start := _START.search(text, position)):
        line = text[text.rfind("\n", 0, start.start()) + 1 : start.start()]
        end = _end_of_call(text[start.end() - 1 : start.end() - 1 + MAX_BYTES])
        position = start.end() if end is None else start.end() - 1 + end
        if end is None:
            num_broken += 1
        elif not line.lstrip().startswith("#"):  # else a comment
            assigned = _ASSIGNED.search(text[max(0, start.start() - 200) : start.start()])
            call = "Genotype" + text[start.end() - 1 : position]
            yield _Call(assigned[1] if assigned else None, call)


def _end_of_call(text: str) -> int | None:
    """Return where the bracket that opens a text is closed; None if it is not."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token[0] in "([{") - (token[0] in ")]}")
        if depth == 0 and token[0] in ")]}":
            return token.end()
        if depth > MAX_DEPTH:
            return None
    return None


def _parse(text: str) -> ast.expr:
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise GenotypeError(f"a genotype's text is at most {MAX_BYTES} bytes")
    if _bracket_depth(text) > MAX_DEPTH:
        raise GenotypeError(f"nested more than {MAX_DEPTH} brackets deep; expected {_FORM}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SyntaxWarning, for text that is not meant as Python
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as cause:
        raise GenotypeError(f"cannot be parsed; expected {_FORM}") from cause


def _four_fields(node: ast.expr) -> dict[str, list]:
    """Return the four fields of a call, a dict or a list."""
    fields: dict[str, ast.expr] = {}
    if isinstance(node, ast.List | ast.Tuple):
        pairs = _by_position(node.elts)
    elif isinstance(node, ast.Dict):
        pairs = [(_key(key), value) for key, value in zip(node.keys, node.values, strict=True)]
    elif isinstance(node, ast.Call) and _called(node) == "Genotype":
        named = [(keyword.arg or "**", keyword.value) for keyword in node.keywords]
        pairs = [*_by_position(node.args), *named]
    else:
        raise GenotypeError(f"expected {_FORM}")
    for key, value in pairs:
        if key in _IGNORED and ast.unparse(value) in ("None", "null"):
            continue
        if key not in FIELDS or key in fields:
            raise GenotypeError(f"unexpected keyword {shown(key)}; expected {_FORM}")
        fields[key] = value
    if missing := [name for name in FIELDS if name not in fields]:
        raise GenotypeError(f"without {', '.join(missing)}; expected {_FORM}")
    values = {name: plain_value(value) for name, value in fields.items()}
    for cell in CELL_TYPES:
        concat = f"{cell}_concat"
        values[cell], values[concat] = read_cell(values[cell], values[concat], cell)
    return values


def _by_position(values: list[ast.expr]) -> list[tuple[str, ast.expr]]:
    if len(values) > len(FIELDS) or any(isinstance(value, ast.Starred) for value in values):
        raise GenotypeError(f"expected {_FORM}")
    return list(zip(FIELDS, values, strict=False))


def _key(node: ast.expr | None) -> str:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else "**"


def _called(node: ast.Call) -> str | None:
    return node.func.id if isinstance(node.func, ast.Name) else None


def _bracket_depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest
