"""Read one annotation of Pascal VOC: the objects of an image and their boxes."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from nas.errors import DataError, shown

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_COUNT = re.compile("0*[1-9][0-9]{0,9}")


class BoxError(DataError):
    """One box of an annotation is impossible; the others can still be used."""


@dataclass(frozen=True)
class VocObject:
    """One object of an image."""

    name: str
    """Its class."""
    corners: tuple[float, float, float, float]
    """xmin, ymin, xmax, ymax as in the file: pixels counted from 1, both ends included."""
    difficult: bool
    """Whether it is left out of training and of the measure."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x1, y1, x2, y2): the edges of the box in pixels, counted from 0.

        Tools that count pixels from 0 write 0 for the first one; it is read as 1.
        """
        left, top, right, bottom = self.corners
        return max(left - 1, 0.0), max(top - 1, 0.0), right, bottom

    def check(self, width: int, height: int) -> None:
        """Check that the box is one, and inside an image.

        Raises:
            BoxError: It is not.
        """
        left, top, right, bottom = self.corners
        text = f"{self.name}: xmin {left:g}, ymin {top:g}, xmax {right:g}, ymax {bottom:g}"
        if left >= right or top >= bottom:
            kind = "has no area" if left == right or top == bottom else "has its corners swapped"
            raise BoxError(f"the box of {text} {kind}; xmin < xmax and ymin < ymax are expected")
        if left < 0 or top < 0 or right > width or bottom > height:
            raise BoxError(f"the box of {text} is outside of the image of {width} x {height}")


@dataclass(frozen=True)
class Annotation:
    """What an annotation says."""

    size: tuple[int, int] | None
    """Width and height of the image, pixels; None where the file does not say."""
    objects: tuple[VocObject, ...]


def read_annotation(path: Path) -> Annotation:
    """Read an annotation; entities and external references are refused.

    Raises:
        DataError: It does not exist, is not XML, or lacks a value.
    """
    try:
        root = fromstring(path.read_bytes())
    except OSError as cause:
        raise DataError(f"{path}: the annotation cannot be read: {cause.strerror}") from cause
    except DefusedXmlException as cause:
        raise DataError(
            f"{path}: declares XML entities or a document type, which are refused; annotations "
            "need neither"
        ) from cause
    except (ParseError, ValueError, LookupError) as cause:
        raise DataError(f"{path}: is not XML that can be read ({cause})") from cause
    width, height = (root.findtext(f"size/{name}", "").strip() for name in ("width", "height"))
    size = None
    if _COUNT.fullmatch(width) and _COUNT.fullmatch(height):
        size = int(width), int(height)
    objects = (
        _read_object(element, f"{path}: object {number}")
        for number, element in enumerate(root.findall("object"), start=1)
    )
    return Annotation(size, tuple(objects))


def _read_object(element: Element, where: str) -> VocObject:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise DataError(f"{where}: has no name; it is the class of the object")
    left, top, right, bottom = (_number(element, corner, where) for corner in _CORNERS)
    difficult = (element.findtext("difficult") or "0").strip()
    if difficult not in ("0", "1"):
        raise DataError(f"{where}: difficult: expected 0 or 1, found {shown(difficult)}")
    return VocObject(name, (left, top, right, bottom), difficult == "1")


def _number(element: Element, corner: str, where: str) -> float:
    text = (element.findtext(f"bndbox/{corner}") or "").strip()
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where}: {corner}: expected a number, found {shown(text)}")
    return number
