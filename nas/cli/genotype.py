"""`nas genotype`: print a genotype in another form, or write it to a file."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas.cli.command import run_command
from nas.config.fields import setting
from nas.errors import GenotypeError
from nas.genotype import Genotype, load_genotype, published_genotypes
from nas.program import run_program


@dataclass(frozen=True)
class GenotypeSettings:
    """Print a genotype in another form, or write it to a new file.

    --list prints the published names and exits.
    """

    genotype: str = setting(is_path=True)
    """A published name, a file, a run directory of a search, or text; docs/genotypes.md lists the
    forms that are read."""
    form: Literal["darts", "pt.darts", "json"] = "darts"
    """darts: the text of quark0/darts; pt.darts: the text of khanrc/pt.darts, one list per node;
    json: genotype.json. A cell of NAS-Bench-201 has one text, its string."""
    out: str | None = setting(None, is_path=True)
    """Write to this new file instead of printing."""


def main(argv: Sequence[str] | None = None, prog: str = "nas genotype") -> int:
    """Run the command; returns its exit code."""
    words = sys.argv[1:] if argv is None else argv
    if "--list" in words:
        return run_program(prog, lambda: print("\n".join(published_genotypes())))
    return run_command(
        GenotypeSettings, convert, prog=prog, argv=words, positional={"genotype": "GENOTYPE"}
    )


def convert(settings: GenotypeSettings) -> None:
    """Load the genotype and print or write it."""
    genotype = load_genotype(settings.genotype)
    text = _text(genotype, settings.form).rstrip("\n")
    if settings.out is None:
        print(text)
    else:
        _write_new(Path(settings.out), text + "\n")


def _text(genotype: Genotype, form: str) -> str:
    return genotype.to_json() if form == "json" else genotype.to_text(nested=form == "pt.darts")


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as cause:
        raise GenotypeError(f"out: {path} already exists; name a new file") from cause
    except (OSError, ValueError) as cause:  # ValueError: a NUL in the path
        reason = getattr(cause, "strerror", None) or cause
        raise GenotypeError(f"out: {path} cannot be written: {reason}") from cause
