"""A matplotlib figure as a picture."""

import io
import warnings

from matplotlib.figure import Figure


def png_bytes(figure: Figure) -> bytes:
    """Return a figure as a PNG."""
    return picture_bytes(figure, "png")


def picture_bytes(figure: Figure, picture_format: str) -> bytes:
    """Return a figure as "png", "svg" or "pdf"."""
    # A Figure made without pyplot saves through its own Agg canvas and leaves no global state.
    picture = io.BytesIO()
    with warnings.catch_warnings():
        # A class may be named in a script that the font lacks: boxes are all one can show then.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(picture, format=picture_format)
    return picture.getvalue()
