"""Measuring a checkpoint, detecting in plain images, and the pictures."""

import json

import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from nas.cli.main import main
from nas.data.voc import load_voc
from nas.detect.pictures import detection_figure, f1_score, grid_figure, ranked
from nas.models.detection import Detections, SSDLite, build_detector, load_detector
from nas.runtime.checkpoint import save_checkpoint
from tests.unit.detect.voc_folder import annotation, small_voc, write_voc


@pytest.fixture
def checkpoint(tmp_path):
    """Return the path of an untrained detector of cats and dogs."""
    torch.manual_seed(0)
    net = build_detector("ssdlite320_mobilenext_0.1", 2)
    description = {
        "detector": "ssdlite320_mobilenext_0.1",
        "classes": ["cat", "dog"],
        "config": {"model": "ssdlite320_mobilenext_0.1"},
    }
    return save_checkpoint(tmp_path, 1, {"description": description, "net": net.state_dict()})


def test_evaluate(checkpoint, tmp_path, capsys):
    """A table, and detection.json and two pictures where `out` says."""
    folder = small_voc(tmp_path / "voc")
    words = ["detect", "evaluate", str(checkpoint), f"--data={folder}", "--workers=0"]
    out = tmp_path / "out"
    assert main([*words, "--device=cpu", f"--out={out}"]) == 0
    assert "AP (11 points)" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"detection.json", "best.png", "worst.png"}
    assert json.loads((out / "detection.json").read_text())["num_objects"] == [1, 2]
    assert main([*words, "--classes=cat,cow"]) == 2
    assert "has cat, dog; leave --classes out" in capsys.readouterr().err
    other = write_voc(tmp_path / "x", {"a": annotation(("cow", (1, 1, 9, 9)))}, test="a")
    assert main(["detect", "evaluate", str(checkpoint), f"--data={other}"]) == 2
    assert "class 'cow', which is not in the list of classes" in capsys.readouterr().err
    other = write_voc(tmp_path / "y", {"a": annotation(("cat", (1, 1, 9, 9), 1))}, test="a")
    words[3] = f"--data={other}"
    assert main([*words, "--device=cpu", f"--out={tmp_path / 'y_out'}"]) == 0
    *table, path = capsys.readouterr().out.splitlines()
    assert table[-1].split() == ["mean", "0", "-", "-", "-"]  # difficult objects do not count
    assert path == str(tmp_path / "y_out" / "detection.json")


def test_predict(checkpoint, tmp_path, capsys):
    """A picture for each image of a folder, and boxes in pixels inside of it."""
    images = small_voc(tmp_path / "voc") / "JPEGImages"
    out = tmp_path / "out"
    words = ["detect", "predict", str(checkpoint)]
    assert main([*words, str(images), f"--out={out}", "--device=cpu", "--min_score=0.3"]) == 0
    found = json.loads((out / "detections.json").read_text())
    assert list(found) == [f"{name}.jpg" for name in "abcdef"]
    entries = [entry for entries in found.values() for entry in entries]
    assert entries and all(entry["score"] >= 0.3 for entry in entries)
    for entry in entries:
        left, top, right, bottom = entry["box"]
        assert 0 <= left <= right <= 64 and 0 <= top <= bottom <= 48
        assert entry["class"] in ("cat", "dog")
    with Image.open(out / "a.png") as picture:
        assert picture.size == (64, 64)
    capsys.readouterr()
    assert main([*words, str(tmp_path / "none")]) == 2
    assert "none does not exist" in capsys.readouterr().err
    assert main([*words, str(images / "a.jpg"), str(images / "a.jpg"), f"--out={out}"]) == 2
    assert f"two pictures would be {out / 'a.png'}" in capsys.readouterr().err
    (tmp_path / "notes.txt").write_text("no image")
    assert main([*words, str(tmp_path / "notes.txt"), f"--out={out}", "--device=cpu"]) == 2
    error = capsys.readouterr().err
    assert "leave it out of --images" in error and "skip_corrupt" not in error
    (tmp_path / "empty").mkdir()
    assert main(["detect", "predict", str(tmp_path / "empty"), str(images)]) == 2
    assert "empty: has no checkpoint; give" in capsys.readouterr().err


def test_other_checkpoints(tmp_path, checkpoint, capsys):
    """One of a classifier, and one with another number of classes than its weights have."""
    assert load_detector(checkpoint).classes == ("cat", "dog")
    state = torch.load(checkpoint, weights_only=True)
    state["description"]["classes"] = ["cat"]
    damaged = save_checkpoint(tmp_path, 2, state)
    assert main(["detect", "predict", str(damaged), "x"]) == 2
    assert "with another shape: head" in capsys.readouterr().err
    del state["description"]["detector"]
    other = save_checkpoint(tmp_path, 3, state)
    assert main(["detect", "predict", str(other), "x"]) == 2
    assert "is not of a detector" in capsys.readouterr().err


def test_pictures(tmp_path):
    """Solid boxes with class and score; objects dashed; the best image comes first."""
    images = load_voc([small_voc(tmp_path)], "test")
    hit = images.images[0]
    right = Detections(hit.boxes, torch.tensor([0.9, 0.8]), hit.labels)
    wrong = Detections(hit.boxes[:1], torch.tensor([0.9]), torch.tensor([0]))
    assert f1_score(hit, right) == 1 and f1_score(images.images[1], wrong) == 0
    assert ranked(images, [right, wrong]) == [0, 1]
    figure = grid_figure(images, [right, wrong], [0, 1], "title")
    assert isinstance(figure, Figure)
    lines = [patch.get_linestyle() for patch in figure.axes[0].patches]
    assert lines == ["-", "-", "--", "--"]
    cat, dog = figure.axes[0].texts
    assert [text.get_text() for text in (cat, dog)] == ["cat 0.90", "dog 0.80"]
    assert (cat.get_va(), dog.get_va()) == ("top", "bottom")  # the cat is at the top of the image
    low = detection_figure(Image.new("RGB", (64, 48)), right, images.classes, min_score=0.85)
    (box,) = low.axes[0].patches
    assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (0, 0, 32, 24)


def test_predict_does_not_overwrite_its_images(checkpoint, tmp_path, capsys):
    """An image that a picture would replace is named, and nothing is written."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (32, 32)).save(folder / "a.png")
    before = (folder / "a.png").read_bytes()
    words = ["detect", "predict", str(checkpoint), str(folder), f"--out={folder}"]
    assert main([*words, "--device=cpu"]) == 2
    assert "a.png is one of the images and would be overwritten" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["a.png"]
    assert (folder / "a.png").read_bytes() == before


def test_predict_takes_no_setting_that_it_would_ignore(checkpoint, tmp_path, capsys):
    """There are no micro-batches and no compiled steps to set."""
    for flag in ("--micro_batch=2", "--compile=default"):
        assert main(["detect", "predict", str(checkpoint), str(tmp_path), flag]) == 2
        assert "unknown flag" in capsys.readouterr().err


def test_predict_computes_in_the_precision_that_is_asked_for(checkpoint, tmp_path, monkeypatch):
    """The network sees bf16 where bf16 was asked for."""
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    seen = []
    original = SSDLite.raw

    def raw(self, images):
        seen.append(torch.is_autocast_enabled("cpu"))
        return original(self, images)

    monkeypatch.setattr(SSDLite, "raw", raw)
    words = ["detect", "predict", str(checkpoint), str(tmp_path / "a.png"), "--device=cpu"]
    for precision in ("fp32", "bf16"):
        out = tmp_path / precision
        assert main([*words, f"--precision={precision}", f"--out={out}"]) == 0
    assert seen == [False, True]
