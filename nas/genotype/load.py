"""Find a genotype by the name under which it was published, by path, or in a text."""

import json
from pathlib import Path

from nas.errors import GenotypeError, close_matches
from nas.genotype.record import Genotype

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
    if text.startswith("{"):
        return Genotype.from_json(text)
    if "(" in text:
        return Genotype.from_text(text)
    published = published_genotypes()
    if text in published:
        return published[text]
    path = Path(text)
    if path.is_dir():
        path = path / "genotype.json"
        if not path.is_file():
            raise GenotypeError(
                f"{path}: there is no such file; a search writes it at its end, so has the "
                "search of this run directory finished?"
            )
    if not path.is_file():
        raise GenotypeError(
            f"genotype {text!r}: no published genotype and no file has this name; "
            f"{close_matches(text, published)}"
        )
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        reason = getattr(cause, "strerror", None) or "is not UTF-8 text"
        raise GenotypeError(f"{path}: cannot be read: {reason}") from cause
    if content.lstrip().startswith("Genotype"):
        return Genotype.from_text(content, str(path))
    return Genotype.from_json(content, str(path))
