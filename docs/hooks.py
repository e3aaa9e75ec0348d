"""For mkdocs: links that leave docs/ become text, because the site holds nothing else."""

import re

_OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./([^)#]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, **_: object) -> str:
    """Write `[text](../path)` as text and path; the file is in the checkout, not on the site."""
    return _OUTSIDE.sub(r"\1 (`\2`)", markdown)
