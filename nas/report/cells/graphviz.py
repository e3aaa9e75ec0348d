"""Turn a graphviz source into a picture with whichever engine is installed.

The system's `dot` comes first, else the executable of the PyPI package graphviz-pure, which pip
brings along with this project. The Python package graphviz runs only the engines it knows by
name, so the executable is run from here.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from nas.errors import ReportError

FORMATS = ("png", "svg", "pdf")
"""What can be written; pdf needs the system's dot."""

DPI = 192
"""Resolution of a PNG; the text of a cell is then about 40 pixels high."""

TIMEOUT_S = 60
"""A cell takes well under a second; only an absurd one takes longer."""

_SIGNATURES = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF"}


@dataclass(frozen=True)
class Engine:
    """An executable that understands the command line of `dot`."""

    path: str
    formats: tuple[str, ...]


def find_engine() -> Engine:
    """Find the system's `dot`, else graphviz-pure next to this Python or on PATH.

    Raises:
        ReportError: Neither is there.
    """
    if system := shutil.which("dot"):
        return Engine(system, FORMATS)
    local = shutil.which("graphviz-pure", path=str(Path(sys.executable).parent))
    if pure := local or shutil.which("graphviz-pure"):
        return Engine(pure, ("png", "svg"))
    raise ReportError(
        "no graphviz engine found: neither `dot` nor `graphviz-pure` is on PATH; "
        "pip install graphviz-pure"
    )


def render(source: str, picture_format: str) -> bytes:
    """Render a graphviz source.

    Args:
        source: The text of a directed graph.
        picture_format: One of FORMATS.

    Returns:
        The bytes of the picture.

    Raises:
        ReportError: The format is unknown or no engine here writes it, or the engine failed.
    """
    if picture_format not in FORMATS:
        raise ReportError(f"unknown format {picture_format!r}; known: {', '.join(FORMATS)}")
    engine = find_engine()
    if picture_format not in engine.formats:
        raise ReportError(
            f"a {picture_format} picture needs the `dot` of Graphviz, and only graphviz-pure is "
            f"installed, which writes {' and '.join(engine.formats)}; install Graphviz "
            "(apt install graphviz, brew install graphviz) or ask for another format"
        )
    command = [engine.path, "-Kdot", f"-T{picture_format}"]
    if picture_format == "png":
        command.append(f"-Gdpi={DPI}")  # on the others it would only rescale the coordinates
    try:
        done = subprocess.run(
            command,
            input=source.encode(),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            start_new_session=True,  # a Ctrl-C that stops a search in order must not kill it
        )
    except subprocess.TimeoutExpired as cause:
        raise ReportError(
            f"{engine.path} did not draw the picture within {TIMEOUT_S} s; is the cell too large?"
        ) from cause
    except OSError as cause:
        raise ReportError(f"{engine.path}: cannot be run: {cause.strerror or cause}") from cause
    if done.returncode or not done.stdout.startswith(_SIGNATURES[picture_format]):
        said = " ".join(done.stderr.decode(errors="replace").split())[:400]
        raise ReportError(
            f"{engine.path} -T{picture_format} failed (exit code {done.returncode}): "
            f"{said or 'without a message'}"
        )
    return done.stdout
