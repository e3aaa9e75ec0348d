"""Read an HTML page as a browser would: its tags, its texts, what it would load."""

from html.parser import HTMLParser
from pathlib import Path

_LOADS = {"src", "href", "xlink:href", "srcset", "action", "data", "poster", "background"}
_VOID = {"meta", "img", "link", "br", "input", "base"}


class Page(HTMLParser):
    """A parsed page; `tags` are (name, attributes), `texts` what stands between them."""

    def __init__(self, path: Path):
        super().__init__(convert_charrefs=True)
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> does not fit"

    def handle_data(self, data):
        if data.strip():
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        """All texts, a line each."""
        return "\n".join(self.texts)

    @property
    def headings(self) -> list[str]:
        """The anchors of the sections."""
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    def check_is_self_contained(self) -> None:
        """Fail where the page could load or run anything, or is not well formed."""
        assert not self.open
        assert not {name for name, _ in self.tags} & {"script", "link", "iframe", "object", "base"}
        for name, attributes in self.tags:
            for key, value in attributes.items():
                assert not key.startswith("on"), (name, key)
                if key in _LOADS:
                    assert value.startswith(("data:image/png;base64,", "#")), (name, key, value)
                if key == "href":
                    assert value[1:] in self.headings
        for word in ("http:", "https:", "@import", "url("):
            assert word not in self.source
        (policy,) = (a["content"] for _, a in self.tags if "http-equiv" in a)
        assert policy.startswith("default-src 'none'; img-src data:;")
