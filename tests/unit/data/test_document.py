"""docs/data.md: the tables of layouts, files and modes say what happens."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data.decoding import ALPHA_MODES, DEEP_MODES, INTEGER_RANGES, PLAIN_MODES
from nas.data.image_files import list_files
from nas.data.layout import JUNK, find_layout
from nas.errors import DataError

DOCUMENT = (Path(__file__).parents[3] / "docs/data.md").read_text(encoding="utf-8")
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def table(section):
    """Return the rows of the first table of a section, without its head."""
    text = DOCUMENT.split(f"## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def code(text):
    """Return what is between backquotes."""
    return re.findall(r"`([^`]+)`", text)


def make(root, name):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".txt" and "annotations" in name:
        path.write_text("1.png\tc\n1.png\td\n")
        return
    endings = {".jp2": "JPEG2000", ".tga": "TGA", ".nef": "TIFF", ".cr2": "TIFF", ".dng": "TIFF"}
    known = Image.registered_extensions().get(path.suffix.lower(), "PNG")
    kind = endings.get(path.suffix.lower(), known if known in Image.SAVE else "PNG")
    Image.fromarray(PIXELS).save(path, kind)


@pytest.mark.parametrize("row", table("Layouts"), ids=lambda row: row[0][:60])
def test_layouts(tmp_path, row):
    files, *expected = row
    for name in code(files)[0].split():
        make(tmp_path, name)
    for split, place in zip(("train", "test"), expected, strict=True):
        if not place.startswith("refused: "):
            assert find_layout(tmp_path, split).folder == tmp_path / code(place)[0]
            continue
        with pytest.raises(DataError) as caught:
            find_layout(tmp_path, split)
        message = str(caught.value).replace(str(tmp_path), "DATA")
        assert place.removeprefix("refused: ") in message and len(message) < 300


FILES = [(name, row) for row in table("Files") for name in code(row[0]) if name != "more"]


@pytest.mark.parametrize(("name", "row"), FILES, ids=[name for name, _ in FILES])
def test_files(tmp_path, name, row):
    text, outcome = row
    if name in ("labels.csv", "README", "1.mp4", "1.svg", "1.npy", "1.heic"):
        path = tmp_path / "train" / "c" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"no image")
    else:
        make(tmp_path / "train" / "c", name)
    if "no other images" not in text:
        make(tmp_path / "train" / "c", "other.png")
    files = list_files(tmp_path, "train")
    used = tmp_path / "train" / "c" / name in files.paths
    assert used == (outcome == "used")
    if not used:
        (kind,) = files.left_out
        assert outcome.removeprefix("left out: ") in kind


def test_every_mode_has_a_row():
    rows = table("What an image becomes")
    modes = [mode for row in rows for mode in code(row[0])]
    assert sorted(modes) == sorted({*PLAIN_MODES, *ALPHA_MODES, *DEEP_MODES, "LAB"})
    (deep,) = [row[1] for row in rows if "`I;16`" in row[0]]
    assert [int(number) for number in re.findall(r"\d+", deep)][:5] == list(INTEGER_RANGES)


def test_what_is_ignored_is_listed():
    for name in JUNK:
        assert f"`{name}`" in DOCUMENT.lower()
