"""Find a genotype by the name under which it was published, by path, or in a text."""

import json
from pathlib import Path

from nas.errors import GenotypeError, close_matches, shown
from nas.genotype.record import MAX_BYTES, Genotype
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
            directory, or the text or JSON itself.

    Raises:
        GenotypeError: There is no such name or file, or it does not hold a genotype.
    """
    text = str(text).strip()
    published = published_genotypes()
    if text in published:
        return published[text]
    path = Path(text)
    if text and is_directory(path):
        path = path / "genotype.json"
        if not is_file(path):
            raise GenotypeError(
                f"{path}: there is no such file; a search writes it at its end, so has the "
                "search of this run directory finished?"
            )
    if is_file(path):
        return _parse(read_text(path, GenotypeError, MAX_BYTES), str(path))
    if text.startswith("{") or "(" in text:
        return _parse(text, "genotype")
    raise GenotypeError(
        f"genotype {shown(text)}: no published genotype and no file has this name; "
        f"{close_matches(text, published)}"
    )


def _parse(content: str, where: str) -> Genotype:
    """Read JSON or the text form; an empty file is JSON that was cut short."""
    if content.strip()[:1] in ("", "{"):
        return Genotype.from_json(content, where)
    return Genotype.from_text(content, where)
