"""Every mode of Pillow becomes the RGB that it shows, or is refused with the reason."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from nas.data import decoding
from nas.data.decoding import (
    ALPHA_MODES,
    DEEP_MODES,
    PLAIN_MODES,
    DeepImageError,
    choose_range,
    read_formats,
    read_image,
    to_rgb,
)
from nas.errors import DataError

RAMP = np.linspace(0, 255, 16 * 16 * 3).round().astype(np.uint8).reshape(16, 16, 3)
SRGB, LAB = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))


def in_mode(mode):
    """Return the ramp in a mode, made without the code under test."""
    image = Image.fromarray(RAMP)
    gray = image.convert("L")
    if mode == "LAB":
        return ImageCms.applyTransform(image, ImageCms.buildTransform(SRGB, LAB, "RGB", "LAB"))
    if mode in ("La", "RGBa"):
        return image.convert(mode.upper()).convert(mode)
    if mode == "PA":
        return image.convert("P").convert("PA")
    if mode.startswith("I;16"):
        order = ">u2" if mode == "I;16B" else "<u2"
        return Image.frombytes(mode, gray.size, np.asarray(gray).astype(order).tobytes())
    return image.convert(mode)


TOLERANCES = {
    **dict.fromkeys(("RGB", "RGBX", "RGBA", "RGBa", "CMYK", "HSV"), 0),
    **dict.fromkeys(("L", "LA", "La", "I", "F"), 1),  # the ramp is nearly gray
    **dict.fromkeys(("I;16", "I;16L", "I;16B", "I;16N"), 1),
    **dict.fromkeys(("YCbCr", "LAB"), 2),
    **dict.fromkeys(("P", "PA"), 50),  # the web palette has steps of 51
    "1": 255,
}


def test_the_tolerances_are_for_every_mode():
    assert TOLERANCES.keys() == {*PLAIN_MODES, *ALPHA_MODES, *DEEP_MODES, "LAB"}


@pytest.mark.parametrize("mode", TOLERANCES)
def test_every_mode_shows_the_ramp(mode):
    image = in_mode(mode)
    assert image.mode == mode
    if mode in DEEP_MODES:
        with pytest.raises(DeepImageError, match=f"its mode is {mode} with values up to 25"):
            to_rgb(image)
        rgb = to_rgb(image, 255)
    else:
        rgb = to_rgb(image)
    assert rgb.mode == "RGB"
    error = np.abs(np.asarray(rgb).astype(int) - RAMP).max()
    assert error <= TOLERANCES[mode]
    assert decoding.spread(rgb) >= 250


def test_a_mode_that_is_not_known_is_refused(monkeypatch):
    monkeypatch.setattr(decoding, "PLAIN_MODES", ())
    with pytest.raises(DataError, match="its mode is RGB, which cannot be converted; save it"):
        to_rgb(Image.fromarray(RAMP))


@pytest.mark.parametrize(
    ("mode", "largest", "white"),
    [
        ("I;16", [7], 255),
        ("I;16", [255], 255),
        ("I;16", [256], 1023),
        ("I;16", [800, 3000, 5], 4095),
        ("I", [4096], 16383),
        ("I;16B", [65535], 65535),
        ("F", [0.25], 1),
        ("F", [1.0], 1),
        ("F", [1.5], 255),
        ("F", [300.0, 0.5], 1023),
    ],
)
def test_white_is_the_end_of_the_smallest_range(mode, largest, white):
    """The range of 8, 10, 12, 14 or 16 bits that holds the largest value, or 0 to 1 for floats."""
    assert choose_range([DeepImageError(mode, value) for value in largest]) == white


def test_the_ranges_of_integers_and_floats_do_not_mix():
    with pytest.raises(DataError, match="convert all of them to one mode"):
        choose_range([DeepImageError("I;16", 9.0), DeepImageError("F", 0.5)])


@pytest.mark.parametrize("white", [255, 1023, 4095, 16383, 65535])
def test_deep_values_are_scaled_in_proportion(white):
    """round(255 * value / white), the same for equal values."""
    values = np.linspace(0, white, 64).round().astype(np.uint16).reshape(8, 8)
    red = np.asarray(to_rgb(Image.fromarray(values), white))[..., 0]
    expected = [round(255 * value / white) for value in values.flatten().tolist()]
    assert red.flatten().tolist() == expected
    assert (red[0, 0], red[-1, -1]) == (0, 255)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            np.array([[-1, 5]], np.int32),
            "mode is I with values from -1 to 5; allowed are 0 to 65535",
        ),
        (np.array([[0, 70_000]], np.int32), "values from 0 to 70000; allowed"),
        (np.array([[0, np.nan]], np.float32), "mode is F with values from nan to nan"),
        (np.array([[0, np.inf]], np.float32), "values from 0 to inf"),
        (np.array([[-0.5, 0.5]], np.float32), "values from -0.5 to 0.5"),
    ],
)
def test_values_without_a_meaning_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        to_rgb(Image.fromarray(values), 255)


def with_alpha(color, alpha):
    """Return an RGBA image of one color."""
    pixels = np.empty((*alpha.shape, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = color, alpha
    return Image.fromarray(pixels, "RGBA")


CIRCLE = (np.hypot(*np.mgrid[-8:8, -8:8]) < 5).astype(np.uint8) * 255


class TestTransparency:
    @pytest.mark.parametrize(
        ("ink", "paper"), [((0, 0, 0), 255), ((90, 10, 200), 255), ((255, 255, 255), 0)]
    )
    def test_the_drawing_is_seen(self, ink, paper):
        """On white paper; on black where white would hide it."""
        rgb = np.asarray(to_rgb(with_alpha(ink, CIRCLE)))
        assert (rgb[CIRCLE > 0] == ink).all() and (rgb[CIRCLE == 0] == paper).all()

    def test_half_transparent_is_mixed(self):
        rgb = np.asarray(to_rgb(with_alpha((0, 100, 200), CIRCLE // 2)))
        alpha = 127 / 255
        expected = [255 * (1 - alpha) + alpha * value for value in (0, 100, 200)]
        assert np.abs(rgb[8, 8] - expected).max() <= 1

    @pytest.mark.parametrize("alpha", [0, 255])
    def test_an_alpha_that_hides_all_or_nothing_is_not_used(self, alpha):
        """Some programs leave it zero everywhere; the colors are the picture."""
        pixels = np.dstack([RAMP, np.full((16, 16), alpha, np.uint8)])
        assert (np.asarray(to_rgb(Image.fromarray(pixels))) == RAMP).all()

    @pytest.mark.parametrize("mode", ["LA", "PA", "La", "RGBa"])
    def test_other_modes_with_alpha(self, mode):
        image = with_alpha((0, 0, 0), CIRCLE)
        if mode == "PA":
            palette = Image.new("PA", image.size)
            palette.putpalette([0, 0, 0, 9, 9, 9])
            palette.putalpha(Image.fromarray(CIRCLE))
            image = palette
        elif mode == "La":
            image = image.convert("LA").convert("La")
        else:
            image = image.convert(mode)
        assert image.mode == mode
        rgb = np.asarray(to_rgb(image))
        assert (rgb[CIRCLE > 0] == 0).all() and (rgb[CIRCLE == 0] == 255).all()

    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
    def test_one_transparent_color(self, mode, tmp_path):
        """As PNG and GIF files store it."""
        image = Image.fromarray(CIRCLE).convert(mode)  # white circle on black
        transparent = (255, 255, 255) if mode == "RGB" else {"P": None}.get(mode, 255)
        if mode == "P":
            transparent = image.getpixel((8, 8))
        path = tmp_path / "x.png"
        image.save(path, transparency=transparent)
        rgb = np.asarray(read_image(path).image)
        assert (rgb[CIRCLE == 0] == 0).all() and (rgb[CIRCLE > 0] == 255).all()
        black = 0 if mode != "RGB" else (0, 0, 0)
        if mode == "P":
            black = image.getpixel((0, 0))
        image.save(path, transparency=black)  # the white circle on white is then put on black
        rgb = np.asarray(read_image(path).image)
        assert (rgb[CIRCLE == 0] == 0).all() and (rgb[CIRCLE > 0] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_photos_are_upright(tmp_path, orientation, ending):
    """The eight orientations of EXIF, held against their definition."""
    plain = RAMP[:8]
    stored = {
        1: plain,
        2: plain[:, ::-1],
        3: plain[::-1, ::-1],
        4: plain[::-1],
        5: plain.transpose(1, 0, 2),
        6: np.rot90(plain, 1),
        7: plain[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(plain, -1),
    }[orientation]
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"x.{ending}"
    lossless = {"webp": {"lossless": True}, "jpg": {"quality": 95}}.get(ending, {})
    image.save(path, exif=exif, **lossless)
    rgb = read_image(path).image
    assert rgb.size == (16, 8)
    limit = 12 if ending == "jpg" else 0
    assert np.abs(np.asarray(rgb).astype(int) - plain).max() <= limit


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_exif_is_not_a_reason_to_refuse(tmp_path):
    path = tmp_path / "x.jpg"
    Image.fromarray(RAMP).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage", quality=95)
    assert read_image(path).image.size == (16, 16)


class TestFrames:
    @pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif"])
    def test_the_first_frame_is_read(self, tmp_path, ending):
        frames = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (40, 200)]
        frames[0].putpixel((0, 0), (255, 0, 0))
        path = tmp_path / f"x.{ending}"
        options = {"lossless": True} if ending == "webp" else {}
        frames[0].save(path, save_all=True, append_images=frames[1:], **options)
        image, has_more = read_image(path)
        assert has_more
        assert image.getpixel((4, 4)) == (40, 40, 40) and image.getpixel((0, 0)) == (255, 0, 0)

    def test_a_single_frame_is_no_animation(self, tmp_path):
        Image.fromarray(RAMP).save(tmp_path / "x.gif")
        assert not read_image(tmp_path / "x.gif").has_more_frames


def png16(values):
    """Return an RGB PNG file with 16 bits per color, which Pillow does not write."""
    import struct
    import zlib

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


class TestColorsOf16Bits:
    def test_the_upper_8_bits_are_read(self):
        values = RAMP.astype(np.uint16) * 257
        assert (np.asarray(read_image(Path("x.png"), png16(values)).image) == RAMP).all()

    def test_values_of_12_bits_would_be_black(self):
        values = RAMP.astype(np.uint16) * 16
        with pytest.raises(DataError, match=r"^x\.png: has 16 bits per color, but no value above"):
            read_image(Path("x.png"), png16(values))


@pytest.mark.parametrize("name", ["BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP"])
def test_formats_are_known_by_content(name):
    """Whatever the file is called."""
    buffer = io.BytesIO()
    Image.fromarray(RAMP).save(buffer, name)
    assert read_image(Path("x.txt"), buffer.getvalue()).image.size == (16, 16)


def test_formats_that_start_programs_are_not_read(tmp_path):
    """EPS would start Ghostscript, under any name."""
    path = tmp_path / "x.jpg"
    Image.fromarray(RAMP).save(path, "EPS")
    assert not {"EPS", "MPEG", "WMF"} & set(read_formats())
    with pytest.raises(
        DataError, match=r"x\.jpg: cannot be read as an image \(not a format that is known"
    ):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_image_is_named(content):
    with pytest.raises(DataError, match=r"^x\.png: cannot be read as an image .*`skip_corrupt`$"):
        read_image(Path("x.png"), content)
