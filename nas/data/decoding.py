"""From one image file to RGB with 8 bits: every mode of Pillow, as it is shown, or refused.

The rules are listed in docs/data.md; `tests/unit/data/test_decoding.py` checks that table.
"""

import contextlib
import io
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from nas.errors import DataError

PLAIN_MODES = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
"""Modes that Pillow converts to RGB by itself."""
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
"""Modes with transparency; other modes can have one transparent color."""
DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")
"""Gray images whose numbers do not fit in 8 bits."""

INTEGER_RANGES = (255, 1023, 4095, 16383, 65535)
"""Largest values of 8, 10, 12, 14 and 16 bits."""
FLOAT_RANGES = (1, *INTEGER_RANGES)

REFUSED_FORMATS = ("BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF")
"""Formats that Pillow reads with the help of another program, or knows only by name."""

MIN_SPREAD = 8
"""An image whose values differ by less than this in every channel is (nearly) one color."""

_ORIENTATION = 0x0112  # the EXIF tag
_WHITE, _BLACK = (255,) * 3, (0,) * 3
# What the readers of Pillow raise on damaged files.
_READ_ERRORS = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
)
CORRUPT_ADVICE = "; repair or remove the file, or leave out damaged files with `skip_corrupt`"


class DeepImageError(DataError):
    """The gray values of an image cannot be scaled before the range of the dataset is known."""

    def __init__(self, mode: str, largest: float, where: str = ""):
        """Keep what `choose_range` needs."""
        super().__init__(
            f"{where}its mode is {mode} with values up to {largest:g}, and what is white in this "
            "dataset is not known when images are read one by one; convert the files to 8 bits, "
            "or use the dataset imagefolder, which reads all of them first"
        )
        self.mode = mode
        self.largest = largest


class DecodedImage(NamedTuple):
    """One image."""

    image: Image.Image
    """Mode RGB, upright."""
    has_more_frames: bool
    """Whether the file is an animation or has more pages; the first one was read."""


@cache
def read_formats() -> tuple[str, ...]:
    """Return the formats that are read: those of this Pillow without `REFUSED_FORMATS`."""
    Image.init()
    return tuple(sorted(Image.OPEN.keys() - set(REFUSED_FORMATS)))


def read_image(
    path: Path, content: bytes | None = None, value_range: int | None = None
) -> DecodedImage:
    """Decode the first frame of an image file.

    Args:
        path: The file.
        content: Its bytes, if they were read already.
        value_range: The value that becomes white in images of `DEEP_MODES`; see `choose_range`.

    Raises:
        DeepImageError: The image needs a `value_range`.
        DataError: It is not an image, a damaged one, or one that cannot be converted.
    """
    try:
        source = path if content is None else io.BytesIO(content)
        with Image.open(source, formats=read_formats()) as image:
            has_more_frames = bool(getattr(image, "is_animated", False))
            is_cut = _is_cut_to_8_bits(image)
            decoded = to_rgb(image, value_range)
    except DeepImageError as cause:
        raise DeepImageError(cause.mode, cause.largest, f"{path}: ") from cause
    except DataError as cause:
        raise DataError(f"{path}: {cause}") from cause
    except _READ_ERRORS as cause:
        reason = " ".join(str(cause).split())[:120] or type(cause).__name__
        if isinstance(cause, UnidentifiedImageError):  # names an object in memory
            reason = "not a format that is known"
        raise DataError(f"{path}: cannot be read as an image ({reason}){CORRUPT_ADVICE}") from cause
    if is_cut and int(np.asarray(decoded).max()) < 16:
        raise DataError(
            f"{path}: has 16 bits per color, but no value above 4095; only the upper 8 bits can be "
            "read, which leaves a black image; scale the values up, or convert the file to 8 bits"
        )
    return DecodedImage(decoded, has_more_frames)


def to_rgb(image: Image.Image, value_range: int | None = None) -> Image.Image:
    """Convert an image of any mode to RGB as a viewer shows it.

    EXIF orientation is applied. Transparency is put on white, or on black if white would leave
    (nearly) one color; an alpha channel that is zero everywhere is not used. Gray values of more
    than 8 bits are scaled so that `value_range` becomes 255. ICC profiles are not applied.

    Args:
        image: Of any mode.
        value_range: For `DEEP_MODES`; see `choose_range`.

    Raises:
        DeepImageError: The image needs a `value_range`.
        DataError: The mode or the values cannot be converted.
    """
    image = _upright(image)
    image.load()
    if image.mode in DEEP_MODES:
        return _from_deep(image, value_range)
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        return _without_alpha(image)
    if image.mode == "LAB":
        converted = ImageCms.applyTransform(image, _lab_to_rgb())
        assert converted is not None  # None only when it works in place
        return converted
    if image.mode not in PLAIN_MODES:
        raise DataError(f"its mode is {image.mode}, which cannot be converted; save it as RGB")
    return image.convert("RGB")


def choose_range(errors: Sequence[DeepImageError]) -> int:
    """Return the value that becomes white, the same for all images of a dataset.

    It is the smallest of `INTEGER_RANGES`, or of `FLOAT_RANGES` for mode F, that holds the largest
    value of all images. One range for all keeps dark images dark.

    Args:
        errors: One for each image that needs a range.

    Raises:
        DataError: There are images with integers and with floats, whose ranges have no relation.
    """
    is_float = {error.mode == "F" for error in errors}
    if len(is_float) > 1:
        raise DataError(
            "some images are float and others have 16 or 32 bits; convert all of them to one mode"
        )
    largest = max(error.largest for error in errors)
    ranges = FLOAT_RANGES if is_float.pop() else INTEGER_RANGES
    return next(limit for limit in ranges if largest <= limit)


def spread(image: Image.Image) -> int:
    """Return the largest difference of two values of one channel, 0 to 255."""
    pixels = np.asarray(image).reshape(-1, len(image.getbands()))
    return int((pixels.max(axis=0) - pixels.min(axis=0)).max())


def _is_cut_to_8_bits(image: ImageFile.ImageFile) -> bool:
    """Whether the file has 16 bits per color, of which Pillow keeps the upper 8; before loading."""
    return image.mode not in DEEP_MODES and any(";16" in str(tile[3]) for tile in image.tile)


def _upright(image: Image.Image) -> Image.Image:
    with contextlib.suppress(*_READ_ERRORS):  # damaged EXIF says nothing
        if image.getexif().get(_ORIENTATION, 1) != 1:
            return ImageOps.exif_transpose(image)
    return image


def _from_deep(image: Image.Image, value_range: int | None) -> Image.Image:
    mode, values = image.mode, np.asarray(image)
    if "transparency" in image.info:
        raise DataError(f"its mode is {mode} with a transparent value; save it without")
    low, high = float(values.min()), float(values.max())
    limit = INTEGER_RANGES[-1]
    if not (low >= 0 and high <= limit):  # also when one is not a number
        raise DataError(
            f"its mode is {mode} with values from {low:g} to {high:g}; allowed are 0 to {limit}; "
            "scale them, or save the image with 8 bits"
        )
    if value_range is None:
        raise DeepImageError(mode, high)
    if high > value_range:
        raise DataError(
            f"its mode is {mode} with values up to {high:g}, but those of the training images end "
            f"at {value_range}; use files of the same kind in every split"
        )
    gray = np.rint(values.astype(np.float64) * (255 / value_range)).astype(np.uint8)
    return Image.fromarray(gray).convert("RGB")


def _without_alpha(image: Image.Image) -> Image.Image:
    straight = {"La": "LA", "RGBa": "RGBA"}.get(image.mode)  # not multiplied by alpha
    image = (image.convert(straight) if straight else image).convert("RGBA")
    low, high = image.getchannel("A").getextrema()
    if low == 255 or high == 0:
        return image.convert("RGB")
    on_white = _put_on(_WHITE, image)
    if spread(on_white) >= MIN_SPREAD:
        return on_white
    on_black = _put_on(_BLACK, image)
    return on_black if spread(on_black) > spread(on_white) else on_white


def _put_on(color: tuple[int, ...], image: Image.Image) -> Image.Image:
    background = Image.new("RGBA", image.size, (*color, 255))
    return Image.alpha_composite(background, image).convert("RGB")


@cache
def _lab_to_rgb() -> ImageCms.ImageCmsTransform:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, srgb, "LAB", "RGB")
