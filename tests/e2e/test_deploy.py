"""From a checkpoint to an 8-bit file and its latency, and what a user does wrong on the way."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from nas.cli.augment import main as augment
from nas.cli.main import main
from nas.data.imagefolder import IMAGENET_MEAN, IMAGENET_STD
from nas.deploy.options import PACKAGES
from nas.genotype import Genotype, load_genotype
from nas.runtime.checkpoint import list_checkpoints, write_checkpoint
from tests.unit.deploy.networks import METADATA, images, small_mobilenext

for package in PACKAGES:
    pytest.importorskip(package, reason="the extra `deploy` is not installed")

import onnx  # noqa: E402

from nas.deploy.candidates import build_candidates  # noqa: E402
from nas.deploy.session import open_session, read_metadata  # noqa: E402
from nas.deploy.source import Source  # noqa: E402

CELL = Path(__file__).parents[1] / "cells" / "sandglass.json"
NUM_TRAIN, NUM_TEST = 12, 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of two classes that a mean tells apart."""
    root = tmp_path_factory.mktemp("images")
    generator = torch.Generator().manual_seed(0)
    for split, count in (("train", NUM_TRAIN), ("test", NUM_TEST)):
        for label, name in enumerate(("cat", "dog")):
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = torch.randint(0, 156, (32, 32, 3), generator=generator) + 100 * label
                image = Image.fromarray(pixels.to(torch.uint8).numpy())
                image.save(root / split / name / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """A short retrain of a cell with a sandglass and an auxiliary head."""
    out = tmp_path_factory.mktemp("runs") / "run"
    flags = f"--genotype={CELL} --dataset=imagefolder --data={folder} --image_size=32 --out={out}"
    small = "--init_channels=2 --num_cells=3 --epochs=1 --batch_size=8 --device=cpu"
    assert augment([*flags.split(), *small.split()]) == 0
    return out


@pytest.fixture(scope="module")
def exported(run, folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "net.onnx"
    assert main(["export", str(run), "--out", str(out), "--data", str(folder)]) == 0
    return out


def refused(capsys, argv):
    """Run the program and check the manners of its refusal; returns what it said."""
    code = main([str(argument) for argument in argv])
    stderr = capsys.readouterr().err
    *notes, error = [line for line in stderr.splitlines() if line.strip()]
    assert code == 2 and error.startswith(f"nas {argv[0]}: error: "), stderr
    # What was read before is said, in lines of its own.
    assert all(note.startswith(f"nas {argv[0]}: ") and "error" not in note for note in notes)
    return error


def test_what_a_checkpoint_says_is_in_the_file(run, exported):
    """The genotype, the classes, the data set and the normalisation that it was trained with."""
    metadata = read_metadata(open_session(exported), exported)
    assert Genotype.from_json(metadata.model["genotype"], "the file") == load_genotype(str(CELL))
    assert {key: metadata.model[key] for key in ("init_channels", "num_cells", "num_classes")} == {
        "init_channels": 2,
        "num_cells": 3,
        "num_classes": 2,
    }
    assert metadata.classes == ["cat", "dog"] and metadata.weights.startswith("newest of run")
    assert (metadata.dataset, metadata.image_size) == ("imagefolder", 32)
    assert metadata.mean == list(IMAGENET_MEAN) and metadata.std == list(IMAGENET_STD)


def test_quantize(run, exported, folder, tmp_path, capsys):
    """Accuracy of the fp32 file is that of the run; what is printed is of both files."""
    out = tmp_path / "int8.onnx"
    flags = ["--calibration_images=20", "--chunk=7", f"--data={folder}", f"--out={out}"]
    assert main(["quantize", str(exported), *flags]) == 0
    printed, err = capsys.readouterr()
    expected = json.loads((run / "evaluation.json").read_text())["top1"]
    assert (
        f"fp32: top-1 {expected:.2f} %" in printed and f"of {2 * NUM_TEST} test images" in printed
    )
    assert "int8: top-1" in printed and f"{out.stat().st_size / 1e6:.2f} MB" in printed
    for rule in ("minmax", "percentile", "entropy"):
        assert re.search(rf"^{rule}: top-1 [\d.]+ %, .* on 20 calibration images", printed, re.M)
    assert printed.count(", kept") == 1
    peak = float(re.search(r"peak memory so far ([\d.]+) GiB", err)[1])
    assert 0.1 < peak < 8


def test_a_large_loss_is_named(exported, folder, tmp_path, capsys, monkeypatch):
    """With what may lose less; a small one is not worth a word."""
    flags = ["--calibration=minmax", "--calibration_images=4", f"--data={folder}"]
    argv = ["quantize", str(exported), *flags, f"--out={tmp_path / 'int8.onnx'}"]
    for limit, is_warned in ((101, False), (-101, True)):
        monkeypatch.setattr("nas.deploy.commands._LARGE_DROP", limit)
        assert main(argv) == 0
        said = capsys.readouterr().err
        assert ("with the calibration minmax; try --calibration best" in said) == is_warned


def test_benchmark(exported, tmp_path, capsys):
    """A row for each network and engine, in the table, the JSON and the picture."""
    tiny = "DARTS_V2,init_channels=2,num_cells=3"
    flags = ["--engines=eager,onnx_int8", "--calls=5", "--batch_size=3", "--threads", "1,2"]
    out = tmp_path / "results"
    assert main(["benchmark", tiny, str(exported), *flags, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    document = json.loads((out / "latency.json").read_text())
    rows = [(row["model"], row["engine"]) for row in document["rows"]]
    assert rows == 2 * [(tiny, "eager"), (tiny, "onnx_int8"), (str(exported), "onnx")]
    assert [row["num_threads"] for row in document["rows"]] == [1, 1, 1, 2, 2, 2]
    for row in document["rows"]:
        one = row["latency"]
        assert 0 < one["min_ms"] <= one["median_ms"] <= one["p95_ms"] and one["num_calls"] == 5
        assert row["images_per_s"] > 0 and f"| {one['median_ms']:.2f} |" in printed
    assert (out / "latency.md").read_text() in printed
    assert (out / "latency.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "engine",
    [
        "eager",
        "onnx_int8",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("onnx_fp32", "compiled")),
    ],
)
def test_an_engine(engine, tmp_path):
    """It runs the network of its name: the same logits, near to them in 8 bits."""
    net = small_mobilenext("1/2")
    with torch.no_grad():
        expected = net(images(3))
    source = Source("small", net, METADATA, None)
    (found,) = build_candidates(source, (engine,), 1, tmp_path / "net")
    with torch.inference_mode():
        difference = (found.net(images(3)) - expected).abs().max()
    if engine == "onnx_int8":
        assert 1e-4 < difference < 0.25 * expected.abs().max()
    else:
        assert difference < 1e-4
    assert (found.model, found.engine, found.image_size) == ("small", engine, 32)
    assert (found.size_bytes is None) == (engine in ("eager", "compiled"))
    assert isinstance(found.net, torch._dynamo.OptimizedModule) == (engine == "compiled")
    if engine.startswith("onnx"):
        nodes = onnx.load(tmp_path / f"net-{engine}.onnx").graph.node
        has_integers = any(node.op_type == "QuantizeLinear" for node in nodes)
        assert has_integers == (engine == "onnx_int8")


def without_genotype(run, tmp_path):
    """A copy of the checkpoint whose description has lost its genotype."""
    state = torch.load(list_checkpoints(run / "checkpoints")[0], weights_only=True)
    del state["description"]["model"]["genotype"]
    write_checkpoint(tmp_path / "lost.pt", state)
    return tmp_path / "lost.pt"


EXPORT_CASES = {
    "no genotype": (["LOST"], "holds neither a genotype nor the name of a network"),
    "no file": (["nowhere.pt"], "does not exist"),
    "name": (["mobilenext"], "did you mean 'mobilenext_1.0'?"),
    "setting": (["mobilenext_1.0,ratio=1/2"], "'ratio' is no setting"),
    "value": (["mobilenext_1.0,identity_ratio=7"], "identity_ratio: '7' is out of range"),
    "form": (["mobilenext_1.0,1/2"], "expected NAME,SETTING=VALUE"),
    "number": (["DARTS_V2,num_cells=x"], "num_cells: expected a whole number, found 'x'"),
    "of a genotype": (["DARTS_V2,width=2"], "'width' is no setting of a genotype's network"),
    "channels": (["mobilenext_1.0,in_channels=1"], "in_channels: found 1, but the images have 3"),
    "count": (["DARTS_V2,init_channels=-1"], "init_channels: -1 is out of range"),
    "probability": (["mobilenext_1.0,dropout=x"], "dropout: expected a number, found 'x'"),
    "switch": (["DARTS_V2,auxiliary=1"], "auxiliary: expected true or false, found '1'"),
    "data set": (["DARTS_V2,dataset=cifar"], "dataset: 'cifar' is unknown; did you mean"),
    "whose weights": (["DARTS_V2,weights=w.pt"], "trained on with dataset=, one of cifar10"),
    "images of nothing": (["mobilenext_0.35", "--data=."], "was trained on no images"),
    "opset of a program": (
        ["DARTS_V2", "--out=x.pt2", "--opset=20"],
        "--opset: only .onnx files have one",
    ),
    "plug-ins": (["mobilenext_0.35", "--plugins=a.py"], "--plugins: have an effect only on"),
    "small": (["mobilenext_0.35", "--image_size=16"], "images of 16 x 16 are too small"),
    "opset": (["DARTS_V2", "--opset=11"], "--opset: found 11, but torch.onnx writes 18 to 23"),
    "size of a checkpoint": (["RUN", "--image_size=64"], "--image_size: "),
    "size": (
        ["mobilenext_1.0", "--image_size=9999"],
        "--image_size: expected a number of at least 8 and of at most 1024",
    ),
    "no place": (["DARTS_V2", "--out=x.tflite"], "ends in .onnx or .pt2"),
    "flag": (["DARTS_V2", "--sizes=1"], "unknown flag '--sizes'"),
}


@pytest.mark.parametrize("case", EXPORT_CASES)
def test_what_cannot_be_exported(run, tmp_path, capsys, case):
    arguments, message = EXPORT_CASES[case]
    if "LOST" in arguments:
        arguments = [without_genotype(run, tmp_path)]
    arguments = [run if argument == "RUN" else argument for argument in arguments]
    out = tmp_path / "net.onnx"
    assert message in refused(capsys, ["export", f"--out={out}", *arguments])
    assert not out.exists()


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_an_operator_that_cannot_be_exported(tmp_path, capsys, suffix):
    """A plug-in whose course depends on the pixels: one line, with either format."""
    plugin = tmp_path / "moody.py"
    plugin.write_text(
        "import torch\n"
        "from nas.operators import register_operator\n"
        "class Moody(torch.nn.MaxPool2d):\n"
        "    def forward(self, x):\n"
        "        return super().forward(x if x.sum() > 0 else -x)\n"
        "@register_operator('moody', label='moody', family='pooling')\n"
        "def build(channels, stride, *, affine):\n"
        "    return Moody(3, stride, padding=1)\n"
    )
    document = json.loads(CELL.read_text())
    document["normal"][0][0][0] = "moody"
    cell = tmp_path / "cell.json"
    cell.write_text(json.dumps(document))
    name, out = f"{cell},init_channels=2,num_cells=3", tmp_path / f"net{suffix}"
    said = refused(capsys, ["export", name, f"--out={out}", "--plugins", plugin])
    assert "the network cannot be exported" in said and not out.exists()


def test_a_check_needs_two_images(tmp_path, capsys):
    """A test split with a single image is no batch."""
    for split in ("train", "test"):
        (tmp_path / split / "cat").mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / split / "cat" / "0.png")
    name, out = "mobilenext_0.35,num_classes=1,dataset=imagefolder", tmp_path / "net.onnx"
    flags = [f"--out={out}", f"--data={tmp_path}", "--image_size=32"]
    assert "has 1 test image" in refused(capsys, ["export", name, *flags])
    assert not out.exists()


QUANTIZE_CASES = {
    "empty folder": (["--data=EMPTY"], "has no folder `train`"),
    "empty class": (["--data=NO_IMAGES"], "this class has no images"),
    "too few": (["--calibration_images=25"], "--calibration_images: found 25"),
    "other classes": (["--data=OTHERS"], "are not the network's (cat, dog)"),
    "no folder": (["--data="], "there is no folder"),
    "none": (None, "--data: the network was trained on imagefolder, but no folder is given"),
    "calibration": (
        ["--calibration=kl"],
        "--calibration: expected 'best' or 'minmax' or",
    ),
    "no effect": (
        ["--calibration=minmax", "--percentile=99"],
        "--percentile: has an effect only with the calibrations percentile and best",
    ),
    "range": (["--calibration=percentile", "--percentile=101"], "--percentile: expected"),
    "itself": (["--out=MODEL"], "expected another file than the model"),
    "test images": (["--data=DAMAGED"], "cannot be read as an image"),
    "chunk": (["--chunk=0"], "--chunk: expected a number of at least 1, found 0"),
}


@pytest.mark.parametrize("case", QUANTIZE_CASES)
def test_what_cannot_be_quantized(exported, folder, tmp_path, capsys, monkeypatch, case):
    """One line, and no file."""
    monkeypatch.chdir(tmp_path)  # `--data=` stands for `data` here
    arguments, message = QUANTIZE_CASES[case]
    (tmp_path / "empty").mkdir()
    for split in ("train", "test"):
        for name in ("hen", "owl"):
            (tmp_path / "none" / split / name).mkdir(parents=True)
            (tmp_path / "others" / split / name).mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(tmp_path / "others" / split / name / "0.png")
    if "--data=DAMAGED" in (arguments or []):
        shutil.copytree(folder, tmp_path / "damaged")
        (tmp_path / "damaged" / "test" / "dog" / "0.png").write_bytes(b"no image")
    words = {"EMPTY": "empty", "NO_IMAGES": "none", "OTHERS": "others", "DAMAGED": "damaged"}
    default = [] if arguments is None else [f"--data={folder}"]
    flags = ["--calibration_images=2", f"--out={tmp_path / 'int8.onnx'}", *default]
    for argument in arguments or []:
        for word, place in words.items():
            argument = argument.replace(word, str(tmp_path / place))
        flags.append(argument.replace("MODEL", str(exported)))
    assert message in refused(capsys, ["quantize", exported, *flags])
    assert not (tmp_path / "int8.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["DARTS_V2", "--engines", "tflite"], "--engines: expected a list of 'eager' or"),
        (["DARTS_V2", "DARTS_V2"], "named twice"),
        (["a.onnx", "--engines", "eager"], "--engines: has no effect on .onnx files"),
        (["a.onnx", "--plugins", "a.py"], "--plugins: has no effect on .onnx files"),
        (["mobilenext_0.35", "--plugins", "a.py"], "--plugins: have an effect only on"),
        (["a.onnx", "b.pt", "--image_size=32"], "--image_size: has an effect only on a network by"),
        (["nowhere.onnx"], "the file does not exist"),
        (["DARTS_V2", "--threads=0"], "--threads: expected a number of at least 1"),
    ],
)
def test_what_cannot_be_timed(capsys, arguments, message):
    assert message in refused(capsys, ["benchmark", *arguments])
