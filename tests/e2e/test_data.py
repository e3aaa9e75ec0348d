"""Images as people bring them, through the programs: said, compared, resumed, measured."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from nas.cli.augment import main as augment
from nas.cli.search import main as search
from tests.e2e.runs import flags as search_flags

CELL = (
    "Genotype(normal=[('skip_connect', 0), ('sep_conv_3x3', 1)], normal_concat=[2], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1)], reduce_concat=[2])"
)
TRAIN = {
    "genotype": CELL,
    "dataset": "imagefolder",
    "image_size": 16,
    "init_channels": 2,
    "num_cells": 3,
    "batch_size": 8,
    "auxiliary_weight": 0,
    "epochs": 1,
}


@pytest.fixture
def photos(tmp_path):
    """Two classes of 12-bit images: 12 of each to train on, 4 to test on."""
    generator = np.random.default_rng(0)
    for split, num in (("train", 12), ("test", 4)):
        for name, low in (("cat", 0), ("dog", 1500)):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for index in range(num):
                values = generator.integers(low, low + 2500, (16, 16)).astype(np.uint16)
                values = values if split == "train" else values // 4
                Image.fromarray(values).save(folder / f"{index}.png")
    return tmp_path / "photos"


def train(**settings):
    return augment([f"--{name}={value}" for name, value in {**TRAIN, **settings}.items()])


def test_a_training_run(tmp_path, photos, capsys):
    """Says what it reads, is resumed elsewhere, notices other images, and is measured."""
    out = tmp_path / "run"
    (photos / "train" / "cat" / "notes.txt").write_text("x")
    assert train(data=photos, out=out, horizontal_flip="false") == 0
    printed, said = capsys.readouterr()
    assert f"{photos}/train: 24 images of 2 classes, 1 file left out: 1 .txt (not read)" in said
    assert "24 gray images have more than 8 bits; their values 0 to 4095 become 0 to 255" in said
    assert "augmentation: random crops padded by 2, no flips, cutout 8\n" in printed

    saved = json.loads((out / "data.json").read_text())
    assert saved["value_range"] == 4095  # also of the darker test images
    counts = {
        s: {c: saved["splits"][s][c]["num_images"] for c in ("cat", "dog")} for s in saved["splits"]
    }
    assert counts == {"train": {"cat": 12, "dog": 12}, "test": {"cat": 4, "dog": 4}}

    moved = photos.rename(tmp_path / "moved")
    assert augment(["--resume", f"--out={out}", f"--data={moved}", "--epochs=2"]) == 0
    first = json.loads((out / "evaluation.json").read_text())
    measured = tmp_path / "measured"
    assert augment([f"--evaluate={out}", f"--data={moved}", f"--out={measured}"]) == 0
    assert "not the test images" not in capsys.readouterr().err
    again = json.loads((measured / "evaluation.json").read_text())
    assert (again["loss"], again["top1"]) == (first["loss"], first["top1"])

    (moved / "test" / "dog" / "3.png").unlink()
    assert augment(["--resume", f"--out={out}", "--epochs=3", f"--data={moved}"]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "error: --data: not the images that the run in" in message
    assert "test: class 'dog' has 3 images, had 4; restore them, or start" in message
    assert augment([f"--evaluate={out}", f"--data={moved}"]) == 0
    said = capsys.readouterr().err
    assert "not the test images of the run: test: class 'dog' has 3 images, had 4" in said


def test_a_search(tmp_path, photos, capsys):
    """It reads no test images, and is not resumed with other training images."""
    shutil.rmtree(photos / "test")
    out = tmp_path / "run"
    settings = {"dataset": "imagefolder", "data": photos, "image_size": 16, "max_images": 24}
    assert search(search_flags(out=out, epochs=1, batch_size=4, **settings)) == 0
    printed = capsys.readouterr().out
    assert "augmentation: random crops padded by 2, horizontal flips, no cutout (where" in printed
    assert "set horizontal_flip to false)" in printed
    assert list(json.loads((out / "data.json").read_text())["splits"]) == ["train"]
    (photos / "train" / "dog").rename(photos / "train" / "wolf")
    assert search(["--resume", f"--out={out}", "--epochs=2"]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "train: class 'dog' is gone; train: class 'wolf' is new" in message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cutout": 16}, "--cutout: found 16, which blanks whole images of 16 x 16"),
        ({"auxiliary_weight": 0.4}, "use at least 29, or leave out the auxiliary head with"),
    ],
)
def test_settings_that_do_not_fit_small_images(tmp_path, photos, capsys, settings, message):
    """The value that fits is in the message; nothing is written."""
    out = tmp_path / "run"
    assert train(data=photos, out=out, **settings) == 2
    assert message in capsys.readouterr().err.splitlines()[-1] and not out.exists()
