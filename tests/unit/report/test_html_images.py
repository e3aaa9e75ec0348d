"""Pictures inside an HTML page."""

from nas.genotype import Genotype
from nas.report.html_images import cell_svg


def test_inline_cells_hold_a_drawing_and_nothing_else():
    """The SVG has the labels, escaped, and no ids, links, scripts or references outside."""
    label = "<script>alert(1)</script>"
    operators = {"evil": {"label": label, "family": "other"}}
    cell = (((("evil", 0)), ("skip_connect", 1)),)
    drawn = cell_svg(Genotype(cell, (2,), cell, (2,), operators), "normal")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in drawn
    for word in ("<script", "href", "http", " id=", "<title", "<style", "<!"):
        assert word not in drawn
    assert drawn.startswith("<svg ") and 'viewBox="0.00' in drawn
    assert drawn.count("<path") >= 4
