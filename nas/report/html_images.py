"""Pictures inside an HTML document: PNG as data, cells as inline SVG."""

import base64
from xml.etree import ElementTree

from markupsafe import Markup

from nas.errors import ReportError
from nas.genotype import Genotype
from nas.report.cells.diagram import cell_source
from nas.report.cells.graphviz import render
from nas.report.figures.style import title_of

_SVG = "{http://www.w3.org/2000/svg}"
# All that a drawing needs: no scripts, links, styles or tooltips.
_TAGS = {"svg", "g", "path", "polygon", "polyline", "ellipse", "text"}
_ATTRIBUTES = {
    *("viewBox", "transform", "points", "d", "x", "y", "cx", "cy", "rx", "ry"),
    *("fill", "stroke", "stroke-width", "stroke-dasharray", "text-anchor"),
    *("font-family", "font-size", "font-weight"),
}


def data_uri(png: bytes) -> str:
    """Return a PNG as a data: address, for `src`."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def cell_svg(genotype: Genotype, cell_type: str) -> Markup:
    """Draw a cell as an `<svg>` element for HTML, several of which fit on one page.

    It is drawn from the genotype, because a picture in a run directory could contain anything.

    Raises:
        GenotypeError: A primitive is unknown.
        ReportError: There is no engine, or it failed.
    """
    drawn = render(cell_source(genotype, cell_type).source, "svg")
    try:
        root = ElementTree.fromstring(drawn)
    except ElementTree.ParseError as cause:
        raise ReportError(f"the engine drew an SVG that cannot be read: {cause}") from cause
    element = _plain(root)
    if element is None or element.tag != "svg":
        raise ReportError("the engine drew no SVG")
    width, height = (float(number) for number in root.get("viewBox", "0 0 1 1").split()[2:])
    title = title_of(cell_type, genotype.kind.cell_types)
    element.attrib.update({"role": "img", "aria-label": title})
    element.attrib["style"] = f"aspect-ratio:{width:g}/{height:g};max-width:{1.25 * width:.0f}px"
    return Markup(ElementTree.tostring(element, encoding="unicode"))  # its text is escaped


def _plain(element: ElementTree.Element) -> ElementTree.Element | None:
    """Copy an element with the tags and attributes of a drawing alone."""
    tag = element.tag.removeprefix(_SVG) if isinstance(element.tag, str) else ""
    if tag not in _TAGS:
        return None
    attributes = {key: value for key, value in element.attrib.items() if key in _ATTRIBUTES}
    copy = ElementTree.Element(tag, attributes)
    copy.text, copy.tail = element.text, element.tail
    copy.extend(child for child in map(_plain, element) if child is not None)
    return copy
