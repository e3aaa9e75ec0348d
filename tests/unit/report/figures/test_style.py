import pytest

from nas.primitives import OPERATOR_FAMILIES
from nas.report.figures.style import known_family, style_of


def test_families_have_colours_of_their_own():
    """No two families share a fill or a line colour."""
    assert len({style_of(family).fill for family in OPERATOR_FAMILIES}) == len(OPERATOR_FAMILIES)
    assert len({style_of(family).line for family in OPERATOR_FAMILIES}) == len(OPERATOR_FAMILIES)


def test_unknown_family_looks_like_other():
    """A family that a plug-in made up is drawn as 'other'."""
    assert known_family("attention") == "other"
    assert style_of("attention") == style_of("other")


def test_only_sandglass_is_bold_and_heavy():
    """The sandglass is the one family that is bold, marked and drawn with a thicker line."""
    sandglass = style_of("sandglass")
    others = [style_of(family) for family in OPERATOR_FAMILIES if family != "sandglass"]
    assert sandglass.bold and sandglass.mark
    assert not any(style.bold or style.mark for style in others)
    assert sandglass.width > max(style.width for style in others)


@pytest.mark.parametrize("family", OPERATOR_FAMILIES)
def test_labels_are_legible(family):
    """A label has a contrast of at least 4.5 to its fill, as WCAG 2.1 asks of text."""
    style = style_of(family)
    low, high = sorted((_luminance(style.fill), _luminance(style.text)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
