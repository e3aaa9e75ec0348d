"""Convert a genotype between its forms: `python -m nas.genotype DARTS_V2 --form json`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nas.errors import GenotypeError, NasError
from nas.genotype.load import load_genotype, published_genotypes
from nas.genotype.record import Genotype

_PROG = "python -m nas.genotype"
_FORMS = {
    "json": Genotype.to_json,
    "darts": Genotype.to_text,
    "pt.darts": lambda genotype: genotype.to_text(nested=True),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: The arguments; None takes those of the process.

    Returns:
        0; 2 for what the user can mend.
    """
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description="Print a genotype in another form, or write it to a file.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "genotype", nargs="?", help="a published name, a file, a run directory of a search, or text"
    )
    parser.add_argument(
        "--form",
        choices=list(_FORMS),
        default="darts",
        help="json: genotype.json; darts: the flat text of quark0/darts (default); pt.darts: the "
        "text of khanrc/pt.darts, one list a node",
    )
    parser.add_argument("--out", type=Path, help="write to this new file instead of printing")
    parser.add_argument("--list", action="store_true", help="print the published names and exit")
    arguments = parser.parse_args(argv)
    try:
        if arguments.list:
            print("\n".join(published_genotypes()))
            return 0
        if arguments.genotype is None:
            raise GenotypeError(
                "expected a published name, a file, a run directory or a text; --list prints the "
                "names"
            )
        text = _FORMS[arguments.form](load_genotype(arguments.genotype)).rstrip("\n")
        if arguments.out is None:
            print(text)
        else:
            _write_new(arguments.out, text + "\n")
    except NasError as error:
        print(f"{_PROG}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as cause:
        raise GenotypeError(f"--out {path}: is there already; name a new file") from cause
    except OSError as cause:
        raise GenotypeError(f"--out {path}: cannot be written: {cause.strerror}") from cause


if __name__ == "__main__":
    raise SystemExit(main())
