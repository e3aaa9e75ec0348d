"""Find a genotype by the name under which it was published, by path, or in a text."""

import json
import re
from pathlib import Path

from nas.errors import GenotypeError, close_matches, shown
from nas.genotype.arch_string import is_arch_string
from nas.genotype.document import MAX_BYTES
from nas.genotype.record import Genotype
from nas.strict_yaml import is_directory, is_file, read_text

_PUBLISHED = Path(__file__).with_name("published.json")


def published_genotypes() -> dict[str, Genotype]:
    """Return the published genotypes by name; `published.json` names their sources."""
    entries = json.loads(_PUBLISHED.read_text(encoding="utf-8"))
    return {name: Genotype.from_text(entry["text"], name) for name, entry in entries.items()}


def load_genotype(text: str | Path) -> Genotype:
    """Load a genotype.

    Args:
        text: A published name ("DARTS_V2"), the path of a genotype.json or of a text file, a run
            directory, FILE:NAME for one of several in a file, or the text or JSON itself, also the
            string of NAS-Bench-201 ("|nor_conv_3x3~0|+...").

    Raises:
        GenotypeError: The name or file does not exist, or it does not hold a genotype.
    """
    text = str(text).strip()
    published = published_genotypes()
    if text in published:
        return published[text]
    path = Path(text)
    if text and is_directory(path):
        if any(is_file(path / name) for name in ("network.json", "frontier.json")):
            raise GenotypeError(
                f"genotype {shown(text)}: holds a network of a chain, not cells; name it where a "
                "network is taken, as in nas train --network"
            )
        path = path / "genotype.json"
        if not is_file(path):
            raise GenotypeError(
                f"{path}: does not exist; a search writes it at its end, so has the search of this "
                "run directory finished?"
            )
    if is_file(path):
        return _parse(read_text(path, GenotypeError, MAX_BYTES), str(path))
    if is_arch_string(text) or text[:1] in ("{", "[") or re.search(r"\bGenotype\s*\(", text):
        return _parse(text, "genotype")
    file, _, name = text.rpartition(":")
    if file and is_file(Path(file)):
        return Genotype.from_text(read_text(Path(file), GenotypeError, MAX_BYTES), file, name)
    raise GenotypeError(
        f"genotype {shown(text)}: no published genotype and no file has this name; "
        f"{close_matches(text, published)}"
    )


def _parse(content: str, where: str) -> Genotype:
    """Read genotype.json or the text of another code; an empty file is JSON that was cut short."""
    start = content.strip()[:1]
    if start == "" or (start == "{" and _is_ours(content)):
        return Genotype.from_json(content, where)
    return Genotype.from_text(content, where)


def _is_ours(content: str) -> bool:
    """Whether a text that begins as a JSON object is to be read as genotype.json.

    It is the dict of another code if it has a key of a cell first, in either kind of quotes, or
    holds a call of Genotype.
    """
    first_key = re.match(r"\s*\{\s*['\"](\w+)['\"]\s*:", content)
    if first_key is None or first_key[1] == "format":
        return True
    return '"format"' in content and "Genotype(" not in content
