"""The calibration that is kept by default is the best of the three on the calibration images."""

import dataclasses

import pytest

from nas.deploy.options import PACKAGES, QuantizeSettings
from nas.records import Evaluation
from tests.unit.deploy.networks import METADATA, images, small_mobilenext

for package in PACKAGES:
    pytest.importorskip(package, reason="the extra `deploy` is not installed")

from nas.deploy import commands  # noqa: E402
from nas.deploy.export import export  # noqa: E402


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small network of ten classes, exported as one that was trained on the built-in shapes."""
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    metadata = dataclasses.replace(
        METADATA, dataset="shapes", model={"model": "small", "num_classes": 10}, classes=None
    )
    export(small_mobilenext("1"), metadata, images(2), path)
    return path


def quantized(model, tmp_path, monkeypatch, measured, **settings):
    """Quantize with made-up accuracies on the calibration images; returns result and calls."""
    measured_files = []

    def evaluate_file(path, metadata, loader):
        measured_files.append((path.name, sum(len(labels) for _, labels in loader)))
        top1, loss = measured.get(path.stem, (50.0, 1.0))
        return Evaluation(8, loss, top1, 99.0, (), None)

    monkeypatch.setattr(commands, "evaluate_file", evaluate_file)
    monkeypatch.setattr(commands, "_NUM_CALLS", 1)
    out = tmp_path / "int8.onnx"
    result = commands.quantize_network(
        QuantizeSettings(model=str(model), out=str(out), calibration_images=8, **settings)
    )
    assert result.after.path == out and out.is_file()
    return result, measured_files


@pytest.mark.parametrize(
    ("measured", "best"),
    [
        ({"minmax": (60, 1), "percentile": (70, 1), "entropy": (65, 1)}, "percentile"),
        ({"minmax": (60, 1), "percentile": (70, 1), "entropy": (70, 0.9)}, "entropy"),
        ({"minmax": (80, 9), "percentile": (70, 1), "entropy": (70, 1)}, "minmax"),
        ({"minmax": (70, 1), "percentile": (70, 1), "entropy": (70, 1)}, "minmax"),
    ],
)
def test_the_best_of_three_is_kept(model, tmp_path, monkeypatch, measured, best):
    """By top-1 on the labeled calibration images, and by the loss where that is equal."""
    result, files = quantized(model, tmp_path, monkeypatch, measured)
    assert result.quantization.calibration == best
    # All three on the 8 calibration images; the test images only before and after.
    assert files[1:4] == [("minmax.onnx", 8), ("percentile.onnx", 8), ("entropy.onnx", 8)]
    assert len(files) == 5 and files[0][1] == files[4][1] > 8
    for rule, (top1, loss) in measured.items():
        kept = ", kept" if rule == best else ""
        line = f"{rule}: top-1 {top1:.2f} %, loss {loss:.4f} on 8 calibration images{kept}"
        assert line in result.text().splitlines()


def test_the_kept_rule_is_in_the_file(model, tmp_path, monkeypatch):
    """What is written is what the kept rule alone writes, bit for bit."""
    result, _ = quantized(model, tmp_path, monkeypatch, {"entropy": (60, 1.0)})
    named, files = quantized(model, tmp_path / "named", monkeypatch, {}, calibration="entropy")
    assert result.after.path.read_bytes() == named.after.path.read_bytes()
    assert len(files) == 2 and not named.tried


def test_a_large_loss_is_warned_of(model, tmp_path, monkeypatch, caplog):
    """With advice that fits: the other rules where one was named, more images otherwise."""
    lossy = {"net": (90.0, 0.1), "int8": (80.0, 0.5)}
    quantized(model, tmp_path, monkeypatch, lossy, calibration="minmax")
    assert "10.0 points are lost with the calibration minmax; try `calibration` best" in caplog.text
    caplog.clear()
    quantized(model, tmp_path, monkeypatch, lossy)
    assert "more `calibration_images`" in caplog.text
    caplog.clear()
    quantized(model, tmp_path, monkeypatch, {})
    assert "points are lost" not in caplog.text
