"""HTML documents from templates: escaped, self-contained, with one form for every number."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

_TEMPLATES = Path(__file__).with_name("templates")


def render_page(template: str, **context: Any) -> bytes:
    """Render a template of this package; every text that is put into it is escaped.

    Args:
        template: The name of a file in `templates`.
        context: What the template reads; a name that is missing is an error.
    """
    page = _environment().get_template(template).render(**context)
    # A lone surrogate, which JSON can bring in, has no UTF-8.
    return page.encode("utf-8", "replace")


def count(number: int) -> str:
    """Write a whole number with commas: 3,349,342."""
    return f"{number:,}"


def millions(number: int) -> str:
    """Write a number in millions to three significant digits: 3.35 M, 0.0696 M."""
    value = number / 1e6
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 4
    return f"{value:,.{decimals}f} M"


def percent(number: float) -> str:
    """Write a percentage: 97.24 %."""
    return f"{number:.2f} %"


def duration(time_s: float) -> str:
    """Write a time in its two largest units, never broken: 2 h 05 min, 3 min 20 s, 4.2 s."""
    return _duration(time_s).replace(" ", "\N{NO-BREAK SPACE}")


def shape(sizes: Sequence[int]) -> str:
    """Write a shape: 3 x 32 x 32; a dash for none."""
    return " \N{MULTIPLICATION SIGN} ".join(map(str, sizes)) or "\N{EN DASH}"


def _duration(time_s: float) -> str:
    if time_s < 60:
        return f"{time_s:.1f} s"
    minutes, seconds = divmod(round(time_s), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(round(time_s / 60), 60)
    return f"{hours:,} h {minutes:02d} min"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=count, millions=millions, percent=percent, duration=duration, shape=shape
    )
    return environment
