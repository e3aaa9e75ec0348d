"""The file of a detector: the suppression of duplicates in it, 8 bits, latency, bad input."""

import json
from itertools import product

import pytest
import torch

from nas.cli.main import main
from nas.deploy.boxes import LabeledBoxes
from nas.deploy.metadata import NO_DATASET, VOC, Metadata
from nas.deploy.options import PACKAGES
from nas.errors import ConfigError, DataError, DeployError
from nas.models.detection import Detections, build_detector, detections_of, make_priors
from nas.runtime.checkpoint import save_checkpoint
from tests.unit.detect.voc_folder import small_voc

for package in PACKAGES:
    pytest.importorskip(package, reason="the extra `deploy` is not installed")

import onnx  # noqa: E402
import onnxruntime  # noqa: E402

from nas.deploy import export as export_module  # noqa: E402
from nas.deploy.postprocess import (  # noqa: E402
    NO_LABEL,
    PREFIX,
    append_postprocessing,
    num_different,
    unpadded,
)

NUM_PRIORS = 3234
METADATA = Metadata(
    model={"detector": "ssdlite320_mobilenext_0.1", "num_classes": 2},
    weights="random",
    classes=["cat", "dog"],
    dataset=VOC,
    image_size=320,
    mean=[0.5] * 3,
    std=[0.25] * 3,
)


def raw_file(path, num_logits, opset=18):
    """Write a file that returns what it is given, with the outputs of a raw detector."""
    text = f"""<ir_version: 10, opset_import: ["" : {opset}]>
    raw (float[N, {NUM_PRIORS}, {num_logits}] a, float[N, {NUM_PRIORS}, 4] b)
      => (float[N, {NUM_PRIORS}, {num_logits}] logits, float[N, {NUM_PRIORS}, 4] offsets)
    {{ logits = Identity (a) offsets = Identity (b) }}"""
    model = onnx.parser.parse_model(text)
    onnx.helper.set_model_props(model, {"key": "kept"})
    onnx.save(model, path)
    return path


def raw_outputs(num_images, num_logits, background):
    """Random logits, with more or less of the background, and offsets."""
    generator = torch.Generator().manual_seed(num_logits)
    logits = 3 * torch.randn(num_images, NUM_PRIORS, num_logits, generator=generator)
    logits[..., 0] += background
    return logits, 2 * torch.randn(num_images, NUM_PRIORS, 4, generator=generator)


@pytest.mark.parametrize("opset", [18, 23])
def test_the_file_suppresses_as_pytorch_does(tmp_path, opset):
    """Batches of one and more; few, many and no detections; the rest has no label."""
    for num_logits in (2, 4):
        path = raw_file(tmp_path / f"{num_logits}.onnx", num_logits, opset)
        append_postprocessing(path)
        session = onnxruntime.InferenceSession(path)
        assert session.get_modelmeta().custom_metadata_map == {"key": "kept"}
        for num_images, background in product((1, 3), (0, 16, 50)):
            logits, offsets = raw_outputs(num_images, num_logits, background)
            answer = session.run(None, {"a": logits.numpy(), "b": offsets.numpy()})
            boxes, scores, labels = map(torch.from_numpy, answer)
            assert boxes.shape == (num_images, 100, 4) and labels.dtype == torch.int64
            found = unpadded(boxes, scores, labels)
            expected = detections_of(logits, offsets, make_priors().float())
            assert [len(one.scores) for one in found] == [len(one.scores) for one in expected]
            for ours, theirs in zip(found, expected, strict=True):  # ties may change places
                torch.testing.assert_close(ours.scores, theirs.scores, atol=1e-6, rtol=0)
            assert num_different(found, logits, offsets, 1e-5)[0] == 0
            absent = labels == NO_LABEL
            assert (scores[absent] == 0).all() and (boxes[absent] == 0).all()
            assert (absent.any(), absent.all()) == (background > 0, background == 50)


def test_a_detection_that_differs_is_counted():
    """In its box, score or label, missing, or one too many, also as a copy of a true one."""
    logits, offsets = raw_outputs(1, 3, 12)
    (true,) = detections_of(logits, offsets, make_priors().float())
    total = len(true.scores)
    assert num_different([true], logits, offsets, 1e-4) == (0, total)
    changed = (
        Detections(true.boxes[1:], true.scores[1:], true.labels[1:]),
        true._replace(labels=torch.cat([1 - true.labels[:1], true.labels[1:]])),
        true._replace(scores=torch.cat([true.scores[:1] - 1e-3, true.scores[1:]])),
        true._replace(boxes=torch.cat([true.boxes[:1] + 1e-3, true.boxes[1:]])),
    )
    for found in changed:
        assert num_different([found], logits, offsets, 1e-4) == (1, total)
    copied = Detections(*(torch.cat([part[:1], part]) for part in true))
    other = copied._replace(labels=torch.cat([1 - true.labels[:1], true.labels]))
    for found in (copied, other):
        assert num_different([found], logits, offsets, 1e-4) == (1, total + 1)
    replaced = Detections(*(torch.cat([part[:1], part[:-1]]) for part in true))
    assert num_different([replaced], logits, offsets, 1e-4) == (1, total)


def test_outputs_of_the_metadata():
    """Raw or not; a classifier has no other form."""
    assert METADATA.outputs == ("boxes", "scores", "labels")
    raw = METADATA.raw()
    assert raw.outputs == ("logits", "offsets") and raw.is_raw
    assert Metadata.from_json(raw.to_json(), "x") == raw
    plain = Metadata({"model": "x"}, "random", None, "shapes", 32, [0.5] * 3, [0.5] * 3)
    assert plain.raw() is plain and plain.outputs == ("logits",)


def test_images_of_a_folder(tmp_path):
    """Calibration images are training images, some or all; test images have their boxes."""
    folder = str(small_voc(tmp_path / "voc"))
    chosen = LabeledBoxes(METADATA, folder, batch_size=2, max_images=3).train()
    batches = [images for images, _ in chosen]
    assert [len(images) for images in batches] == [2, 1]
    assert batches[0].shape[1:] == (3, 320, 320)
    assert {image.path.stem for image in chosen.images.images} < set("abcd")
    test = LabeledBoxes(METADATA, folder).test().images
    assert [image.path.stem for image in test.images] == ["e", "f"]
    with pytest.raises(DataError, match="calibration_images: found 5, but there are 4 training"):
        LabeledBoxes(METADATA, folder, max_images=5).train()
    with pytest.raises(ConfigError, match="data: the detector was trained on images with boxes"):
        LabeledBoxes(METADATA, None)
    untrained = Metadata(METADATA.model, "random", None, NO_DATASET, 320, [0] * 3, [1] * 3)
    with pytest.raises(ConfigError, match="random weights"):
        LabeledBoxes(untrained, folder)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Return the path of an untrained detector of cats and dogs."""
    torch.manual_seed(0)
    net = build_detector("ssdlite320_mobilenext_0.1", 2)
    description = {
        "detector": "ssdlite320_mobilenext_0.1",
        "classes": ["cat", "dog"],
        "config": {"train_split": "trainval", "test_split": "test", "skip_corrupt": False},
    }
    state = {"description": description, "net": net.state_dict()}
    return save_checkpoint(tmp_path_factory.mktemp("detector"), 1, state)


@pytest.mark.slow
def test_export_quantize_and_benchmark(checkpoint, tmp_path, capsys, monkeypatch):
    """The commands of the page, from the checkpoint to 8 bits and a table."""
    folder = str(small_voc(tmp_path / "voc"))
    path, raw, program = (str(tmp_path / name) for name in ("cells.onnx", "raw.onnx", "raw.pt2"))
    assert main(["export", str(checkpoint), f"--out={path}", f"--data={folder}"]) == 0
    assert "detections equal PyTorch's" in capsys.readouterr().out
    for out in (raw, program):
        assert main(["export", str(checkpoint), f"--out={out}", "--raw"]) == 0
        assert "output logits, offsets" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(path)
    metadata = json.loads(session.get_modelmeta().custom_metadata_map["sandglass_nas"])
    assert metadata["classes"] == ["cat", "dog"] and metadata["image_size"] == 320
    for model in (path, raw):
        words = ["quantize", model, f"--data={folder}", "--calibration_images=4"]
        assert main(words) == 0
        lines = capsys.readouterr().out
        assert "int8: mAP" in lines and "of 2 test images" in lines and ", kept" in lines
    quantized = onnx.load(tmp_path / "cells_int8.onnx")
    wide = {n.op_type for n in quantized.graph.node if n.name.startswith(PREFIX)}
    assert "NonMaxSuppression" in wide and "QuantizeLinear" not in wide
    words = ["benchmark", str(checkpoint), path, "--engines=eager,onnx_fp32", "--calls=1"]
    assert main([*words, "--batch_size=2"]) == 0
    table = capsys.readouterr().out
    assert "| eager |" in table and "| onnx |" in table
    with monkeypatch.context() as patch:
        patch.setattr(export_module, "num_different", lambda *_: (3, 200))
        assert main(["export", str(checkpoint), f"--out={tmp_path / 'no.onnx'}"]) == 2
    assert "3 of 200 detections differ from PyTorch's" in capsys.readouterr().err
    assert not (tmp_path / "no.onnx").exists()


def test_bad_input(checkpoint, tmp_path, capsys):
    """One line and exit code 2."""
    folder = str(small_voc(tmp_path / "voc"))
    out = f"--out={tmp_path / 'x.onnx'}"
    model = str(checkpoint)
    for words, expected in (
        (["export", model, f"--out={tmp_path / 'x.pt2'}"], "--raw: x.pt2 can only have raw"),
        (
            ["export", "DARTS_V2,num_cells=2,init_channels=4", out, "--raw"],
            "--raw: has an effect only on a detector",
        ),
        (["export", model, out, "--image_size=64"], "--image_size"),
        (
            ["export", "ssdlite320_mobilenext", out, "--image_size=64"],
            "a detector has 320, found 64",
        ),
        (["export", "ssdlite320_mobilnext", out], "'ssdlite320_mobilnext' is unknown"),
        (["export", "ssdlite320_mobilenext,dropout=1", out], "'dropout' is no setting of a det"),
        (["export", model, out, "--plugins=x"], "--plugins: have an effect only"),
        (["export", model, out, f"--data={folder}/none"], "none is no VOC folder"),
        (["quantize", f"{folder}/none.onnx"], "none.onnx: the file does not exist"),
    ):
        assert main(words) == 2, words
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and expected in lines[0], lines
    assert not (tmp_path / "x.onnx").exists()


def test_a_file_of_other_outputs(tmp_path):
    """Named with what was expected."""
    from nas.deploy.session import open_session, read_metadata

    path = raw_file(tmp_path / "x.onnx", 3)
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {"sandglass_nas": METADATA.to_json()})
    onnx.save(model, path)
    with pytest.raises(DeployError, match="expected images in and boxes, scores, labels out"):
        read_metadata(open_session(path), path)
