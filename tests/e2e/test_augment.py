"""The retrain program from a genotype to the test accuracy."""

import argparse
import json
import shutil
import signal
from pathlib import Path

import pytest
import torch
from PIL import Image

from nas.cli.augment import main
from nas.cli.search import main as search
from nas.data import EvalTransform, load_dataset
from nas.data.shapes.dataset import NUM_IMAGES
from nas.genotype import load_genotype
from nas.models import build_network
from nas.runtime.checkpoint import (
    list_checkpoints,
    load_checkpoint,
    load_newest,
    write_checkpoint,
)
from nas.runtime.run_directory import RunDirectory
from nas.train import Trainer
from tests.e2e.runs import flags as search_flags
from tests.unit.models.darts_network import DartsNetwork

CELL = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1)], normal_concat=[2], "
    "reduce=[('max_pool_3x3', 0), ('sandglass_3x3', 1)], reduce_concat=[2])"
)
SMALL = {
    **{"genotype": CELL, "dataset": "shapes", "max_images": 48, "init_channels": 2},
    **{"num_cells": 3, "batch_size": 16, "epochs": 2, "drop_path_prob": 0.3},
}
FILES = {
    *("config.yaml", "env.json", "genotype.json", "cost.json", "metrics.jsonl", "timing.jsonl"),
    "data.json",
    *("evaluation.json", "checkpoints", "tensorboard", "curves.png", "report.html"),
    *("cell_normal.png", "cell_normal.svg", "cell_reduce.png", "cell_reduce.svg"),
}


@pytest.fixture(autouse=True)
def few_test_images(monkeypatch):
    """100 test images instead of 2,000: the same code, in a test's time."""
    monkeypatch.setitem(NUM_IMAGES, "test", 100)


def flags(**settings):
    return [f"--{name}={value}" for name, value in {**SMALL, **settings}.items()]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished retrain, never stopped."""
    out = tmp_path_factory.mktemp("augment") / "run"
    with pytest.MonkeyPatch.context() as context:
        context.setitem(NUM_IMAGES, "test", 100)
        assert main(flags(out=out)) == 0
    return out


def read(path):
    return json.loads(path.read_text())


def test_the_run_directory_is_complete(run):
    """Exactly the documented files."""
    assert {path.name for path in run.iterdir()} == FILES
    document = Path("docs/run_directory.md").read_text()
    for name in FILES:
        assert f"`{name}`" in document or f"`{name}/`" in document


def test_results_agree(run):
    """The last line of the metrics, evaluation.json and --evaluate say the same."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found = read(run / "evaluation.json")
    assert [line["epoch"] for line in lines] == [0, 1] and found["epoch"] == 1
    assert found["top1"] == lines[-1]["test_accuracy"] and found["loss"] == lines[-1]["test_loss"]
    assert found["num_images"] == 100 and sum(map(sum, found["confusion"])) == 100
    assert [line["drop_path_prob"] for line in lines] == [0, 0.15]
    assert load_genotype(run) == load_genotype(CELL)
    assert read(run / "cost.json")["madds"] > 0


def test_timing_tells_how_long_steps_wait_for_data(run):
    """Within the time of the epoch, in each of its lines."""
    lines = [json.loads(line) for line in (run / "timing.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1]
    assert all(0 <= line["data_wait_s"] <= line["time_s"] for line in lines)
    assert any(line["data_wait_s"] for line in lines)
    assert "`data_wait_s`" in Path("docs/run_directory.md").read_text()


def test_evaluate(run, tmp_path, capsys):
    """The checkpoint knows its network, data and settings; measuring again gives the same."""
    (checkpoint,) = list_checkpoints(run / "checkpoints")[:1]
    for source in (run, checkpoint):
        out = tmp_path / source.name
        assert main([f"--evaluate={source}", f"--out={out}", "--eval_batch_size=7"]) == 0
        again, before = read(out / "evaluation.json"), read(run / "evaluation.json")
        assert again["confusion"] == before["confusion"]
        assert again["loss"] == pytest.approx(before["loss"], rel=1e-5)
    assert "top-1" in capsys.readouterr().out


EVALUATE_CASES = {
    "no file": (["--evaluate=/nowhere.pt"], "does not exist"),
    "a setting of training": (["--evaluate=CHECKPOINT", "--epochs=9"], "--epochs: found 9"),
    "another architecture": (
        ["--evaluate=CHECKPOINT", "--genotype=DARTS_V2"],
        "is of another architecture: its genotype is not DARTS_V2; leave --genotype out",
    ),
    "another network": (
        ["--evaluate=CHECKPOINT", "--model=mobilenext_1.0"],
        "--genotype",
    ),
    "a random file": (["--evaluate=GARBAGE"], "not a checkpoint"),
    "of a search": (["--evaluate=SEARCH"], "does not say which network"),
    "resume": (["--evaluate=CHECKPOINT", "--resume"], "--resume has no effect"),
    "classes": (
        ["--evaluate=CHECKPOINT", "--dataset=imagefolder", "--data=IMAGES", "--image_size=32"],
        "has 10 classes, the --dataset imagefolder has 2",
    ),
}


@pytest.mark.parametrize("case", EVALUATE_CASES)
def test_what_cannot_be_evaluated(run, tmp_path, capsys, case):
    """One line that names the file or the setting."""
    (tmp_path / "garbage.pt").write_bytes(b"\x80\x04K\x01." * 9)
    write_checkpoint(tmp_path / "search.pt", {"epoch": 1, "alphas": {}})
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(folder / "0.png")
    places = {
        "CHECKPOINT": list_checkpoints(run / "checkpoints")[0],
        "GARBAGE": tmp_path / "garbage.pt",
        "SEARCH": tmp_path / "search.pt",
        "IMAGES": tmp_path / "images",
    }
    arguments, message = EVALUATE_CASES[case]
    for word, place in places.items():
        arguments = [argument.replace(word, str(place)) for argument in arguments]
    assert main(arguments) == 2
    *notes, error = capsys.readouterr().err.strip().splitlines()
    assert message in error and error.startswith("augment.py: error: ")
    assert all(note.startswith("augment.py: ") and "error" not in note for note in notes)


CASES = {
    "none": (["--genotype=x"], "unknown"),
    "name": (["--genotype=DARTS_V3"], "did you mean 'DARTS_V2'"),
    "call": (["--genotype=Genotype(normal=eval('1'))"], "genotype"),
    "operator": (["--genotype=" + CELL.replace("skip_connect", "skip_conect")], "'skip_connect'"),
    "seed": (["--genotype=random:x"], "expected random:SEED"),
    "space": (["--genotype=DARTS_V2", "--space=s3"], "which is not in the space"),
    "nodes": (["--genotype=DARTS_V2", "--space=mixed_edges"], "has 4 nodes, the space 3"),
    "image size": (["--image_size=16"], "--image_size: the network cannot take"),
    "fp16": (["--precision=fp16", "--device=cpu"], "needs a GPU"),
    "batch": (["--batch_size=49"], "--batch_size: found 49, but there are 48"),
    "held out": (
        ["--val_fraction=0.999"],
        "--val_fraction: 0.999 of 48 training images is 48; at least one",
    ),
    "warm-up": (["--warmup_epochs=2"], "--warmup_epochs"),
    "decay": (["--decay_rate=0.5"], "only with --schedule exponential"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(tmp_path, capsys, case):
    """One line and exit code 2 before anything is written."""
    arguments, message = CASES[case]
    names = {argument.split("=")[0] for argument in arguments}
    out = tmp_path / "run"
    defaults = [flag for flag in flags(out=out) if flag.split("=")[0] not in names]
    if case == "none":
        arguments = [a for a in arguments if not a.startswith("--genotype")]
        message = "--genotype: found none"
    assert main([*defaults, *arguments]) == 2
    stderr = capsys.readouterr().err.strip()
    assert message in stderr and "\n" not in stderr, stderr
    assert not out.exists()


@pytest.mark.parametrize(
    "number",
    [3, 6, *(pytest.param(number, marks=pytest.mark.slow) for number in (2, 4))],
)
def test_resumed_equals_never_stopped(run, tmp_path, monkeypatch, capsys, number):
    """Stopped in an epoch, while measuring, at its end, in the last one: the same bytes."""
    original, count, out = Trainer.check_stop, 0, tmp_path / "run"

    def check(self):
        nonlocal count
        count += 1
        if count == number:
            signal.raise_signal(signal.SIGTERM)
        original(self)

    with monkeypatch.context() as context:
        context.setattr(Trainer, "check_stop", check)
        assert main(flags(out=out)) == 128 + signal.SIGTERM
    assert f"--resume --out {out}" in capsys.readouterr().err
    assert not (out / "evaluation.json").exists()
    assert main(["--resume", f"--out={out}"]) == 0
    for name in ("metrics.jsonl", "evaluation.json", "genotype.json"):
        assert (out / name).read_bytes() == (run / name).read_bytes()
    first, second = (load_newest(path / "checkpoints") for path in (run, out))
    assert all(torch.equal(value, second["net"][key]) for key, value in first["net"].items())


def test_held_out_images_and_the_moving_average(tmp_path):
    """--val_fraction adds val metrics and best.pt; --evaluate reads the average."""
    out = tmp_path / "run"
    assert main(flags(out=out, val_fraction=0.25, ema_decay=0.5, label_smoothing=0.1)) == 0
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert all({"val_accuracy", "test_accuracy"} <= line.keys() for line in lines)
    best = load_checkpoint(out / "checkpoints" / "best.pt")
    accuracies = [line["val_accuracy"] for line in lines]
    assert best["epoch"] == accuracies.index(max(accuracies))
    assert main([f"--evaluate={out}", f"--out={tmp_path / 'again'}"]) == 0
    again, before = read(tmp_path / "again/evaluation.json"), read(out / "evaluation.json")
    assert again["confusion"] == before["confusion"]


def test_from_a_search(tmp_path, monkeypatch):
    """A search's run directory is a genotype; so is its JSON from another directory."""
    found = tmp_path / "search"
    assert search(search_flags(out=found, epochs=1)) == 0
    elsewhere = tmp_path / "cell.json"
    shutil.copy(found / "genotype.json", elsewhere)
    for number, source in enumerate((found, elsewhere)):
        out = tmp_path / f"augment{number}"
        assert main(flags(out=out, genotype=source, epochs=1)) == 0
        assert load_genotype(out) == load_genotype(found)
        assert load_genotype(out).space["name"] == "tiny"


def test_random_cells_and_the_imagenet_form(tmp_path):
    """`random:SEED` of a space; the stem of 224 x 224, here at 64."""
    out = tmp_path / "run"
    settings = {"genotype": "random:3", "space": "darts+sandglass", "stem": "imagenet"}
    settings |= {"image_size": 64, "max_images": 10, "batch_size": 5, "epochs": 1}
    settings |= {"auxiliary_weight": 0}
    assert main(flags(out=out, **settings)) == 0
    assert load_genotype(out).search == {"method": "random", "seed": 3}
    assert (
        load_checkpoint(list_checkpoints(out / "checkpoints")[0])["description"]["model"]["stem"]
        == "imagenet"
    )


def test_imagenet_from_files(tmp_path, monkeypatch):
    """Image files, one damaged, workers, parts of the recipe; stopped in an epoch and resumed."""
    for split in ("train", "val"):
        for label, name in enumerate(("n01", "n02")):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for index in range(6):
                color = (40 * index, 255 * label, 9)
                Image.new("RGB", (90, 70 + index), color).save(folder / f"{index}.JPEG")
    (folder / "5.JPEG").write_bytes(b"no image")
    settings = {"dataset": "imagenet", "data": tmp_path / "images", "image_size": 64}
    settings |= {"stem": "imagenet", "auxiliary_weight": 0, "batch_size": 4, "max_images": 10}
    settings |= {"schedule": "exponential", "label_smoothing": 0.1, "color_jitter": 0.4}
    settings |= {"workers": 1, "learning_rate": 0.1, "skip_corrupt": True}
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main(flags(out=whole, **settings)) == 0
    original, count = Trainer.step_done, 0

    def step_done(self):
        nonlocal count
        count += 1
        if count == 2:
            signal.raise_signal(signal.SIGTERM)
        original(self)

    with monkeypatch.context() as context:
        context.setattr(Trainer, "step_done", step_done)
        assert main(flags(out=stopped, **settings)) == 143
    assert main(["--resume", f"--out={stopped}", "--workers=0"]) == 0
    for name in ("metrics.jsonl", "evaluation.json"):
        assert (whole / name).read_bytes() == (stopped / name).read_bytes()
    found = read(whole / "evaluation.json")
    assert found["classes"] == ["n01", "n02"] and found["num_images"] == 11


def test_options_that_would_have_no_effect(tmp_path, capsys):
    """Each is refused instead of ignored."""
    for settings, message in (
        ({"color_jitter": 0.1}, "--color_jitter has an effect only with --dataset imagenet"),
        ({"workers": 2}, "--workers has an effect only with --dataset imagenet"),
        ({"dataset": "imagenet", "cutout": 8}, "--cutout"),
    ):
        assert main(flags(out=tmp_path / "run", **settings)) == 2
        assert message in capsys.readouterr().err


def test_a_network_by_name(tmp_path, capsys):
    """Trained, measured again, compared, started from its weights; by the same program."""
    out = tmp_path / "run"
    network = ["--model=mobilenext_0.35", "--identity_ratio=1/3"]
    small = ["--dataset=shapes", "--max_images=32", "--batch_size=16", "--epochs=1"]
    assert main([*network, *small, f"--out={out}"]) == 0
    assert not (out / "genotype.json").exists() and (out / "report.html").exists()
    assert "no picture" not in capsys.readouterr().err
    assert "drop_path_prob" not in json.loads((out / "metrics.jsonl").read_text())
    assert main([f"--evaluate={out}", f"--out={tmp_path / 'again'}"]) == 0
    first, second = (read(path / "evaluation.json") for path in (out, tmp_path / "again"))
    assert first["confusion"] == second["confusion"]
    capsys.readouterr()
    assert main([f"--evaluate={out}", "--model=mobilenext_0.5"]) == 2
    assert "another architecture: mobilenext_0.35" in capsys.readouterr().err
    state = load_newest(out / "checkpoints")["net"]
    torch.save({"state_dict": state}, tmp_path / "weights.pt")
    weights = f"--weights={tmp_path / 'weights.pt'}"
    authors = {"state_dict": state, "args": argparse.Namespace(lr=0.1), "epoch": 207}
    torch.save(authors, tmp_path / "authors.pth.tar")
    theirs = [f"--evaluate={tmp_path / 'authors.pth.tar'}", "--dataset=shapes", *network]
    assert main([*theirs, f"--out={tmp_path / 'theirs'}"]) == 0
    assert read(tmp_path / "theirs" / "evaluation.json")["confusion"] == first["confusion"]
    assert main([*theirs, "--ema_weights"]) == 2
    assert "has no moving average of the weights" in capsys.readouterr().err
    rates = ["--learning_rate=1e-12", "--max_images=16"]
    assert main([*network, *small, *rates, weights, f"--out={tmp_path / 'tuned'}"]) == 0
    tuned = load_newest(tmp_path / "tuned" / "checkpoints")["net"]
    assert torch.allclose(tuned["classifier.1.weight"], state["classifier.1.weight"], atol=1e-6)
    capsys.readouterr()
    assert main(["--model=mobilenext_0.5", *small, weights, f"--out={tmp_path / 'no'}"]) == 2
    assert "does not fit" in capsys.readouterr().err and not (tmp_path / "no").exists()


def test_fine_tuning_from_weights_for_other_classes(tmp_path, capsys):
    """The body is kept, the new classifier is named; then best.pt of the run is a start too."""
    small = ["--model=mobilenext_0.05", "--dataset=shapes", "--max_images=32", "--batch_size=16"]
    short = [*small, "--epochs=1", "--learning_rate=1e-12", "--image_size=32"]
    weights = build_network("mobilenext_0.05", num_classes=1000).state_dict()
    torch.save(weights, tmp_path / "imagenet.pt")
    start = f"--weights={tmp_path / 'imagenet.pt'}"
    assert main([*short, start, "--val_fraction=0.25", f"--out={tmp_path / 'run'}"]) == 0
    said = "has another number of classes, keeps its initial weights: classifier.1.weight"
    assert said in capsys.readouterr().err
    best = load_checkpoint(tmp_path / "run/checkpoints/best.pt")["measured_net"]
    for name in ("features.0.0.weight", "features.5.conv.0.weight"):
        assert torch.allclose(best[name], weights[name], atol=1e-6)
    start = f"--weights={tmp_path / 'run/checkpoints/best.pt'}"
    assert main([*short, start, f"--out={tmp_path / 'again'}"]) == 0
    again = load_newest(tmp_path / "again" / "checkpoints")["net"]
    assert torch.allclose(again["classifier.1.weight"], best["classifier.1.weight"], atol=1e-6)


def test_weights_of_the_darts_code_for_a_genotype(tmp_path):
    """Measured, and the start of a training; neither needs a checkpoint of this program."""
    theirs = DartsNetwork(load_genotype("DARTS_V2"), 4, 3, 10, is_imagenet=False)
    torch.save(theirs.state_dict(), tmp_path / "weights.pt")
    network = ["--genotype=DARTS_V2", "--init_channels=4", "--num_cells=3", "--dataset=shapes"]
    measured = [f"--evaluate={tmp_path / 'weights.pt'}", *network, f"--out={tmp_path / 'test'}"]
    assert main(measured) == 0
    images = load_dataset("shapes", split="test")
    normalized = EvalTransform(images.info)(images.images[:100])
    with torch.no_grad():
        hits = (theirs.eval()(normalized).argmax(1) == images.labels[:100]).float().mean()
    top1 = read(tmp_path / "test" / "evaluation.json")["top1"]
    assert top1 == pytest.approx(100 * hits.item())
    short = ["--max_images=32", "--batch_size=16", "--epochs=1", "--learning_rate=1e-12"]
    start = [f"--weights={tmp_path / 'weights.pt'}", f"--out={tmp_path / 'run'}"]
    assert main([*network, *short, *start]) == 0
    after = load_newest(tmp_path / "run" / "checkpoints")["net"]["classifier.weight"]
    assert torch.allclose(after, theirs.classifier.weight, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model=mobilnext_1.0"], "did you mean 'mobilenext_1.0'"),
        (["--model=mobilenext_99"], "width_mult"),
        (["--model=mobilenext_1.0", "--identity_ratio=2"], "identity_ratio"),
        (["--model=mobilenet_v2_1.0", "--identity_ratio=1/2"], "identity_ratio"),
        (
            ["--model=mobilenext_1.0", "--genotype=DARTS_V2"],
            "--genotype and --model both name the network",
        ),
        (["--model=mobilenext_1.0", "--ema_weights"], "--ema_weights has an effect only with"),
        (["--model=mobilenext_1.0", "--image_size=24"], "32"),
        (["--model=mobilenext_1.0", "--weights=/nowhere.pt"], "/nowhere.pt"),
    ],
)
def test_networks_that_cannot_be(tmp_path, capsys, arguments, message):
    small = ["--dataset=shapes", "--max_images=32", "--batch_size=16", "--epochs=1"]
    assert main([*arguments, *small, f"--out={tmp_path / 'run'}"]) == 2
    stderr = capsys.readouterr().err.strip()
    assert message in stderr and "\n" not in stderr and not (tmp_path / "run").exists()


def test_list_models(capsys):
    assert main(["--list_models"]) == 0
    assert "mobilenext_1.0" in capsys.readouterr().out.split()


def test_one_program_at_a_time(run, capsys):
    """A run that is open elsewhere is refused, and free again afterwards."""
    with RunDirectory.open(run):
        assert main(["--resume", f"--out={run}"]) == 2
        assert "another program is working on the run" in capsys.readouterr().err
    with RunDirectory.open(run):
        pass


def test_bf16_with_a_real_cell(tmp_path):
    """Depthwise convolutions, pooling and the auxiliary head under autocast."""
    out = tmp_path / "run"
    assert main(flags(out=out, genotype="DARTS_V2", precision="bf16", epochs=1)) == 0
    assert read(out / "evaluation.json")["loss"] < 10


def test_a_last_batch_of_one_is_refused_at_once(tmp_path, capsys):
    """49 images are three batches of 16 and one image, which BatchNorm cannot train on."""
    assert main(flags(out=tmp_path / "run", max_images=49)) == 2
    assert "leaves a final batch of one image" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_measurement_that_is_not_finite(tmp_path, capsys):
    """One step that spoils the weights is noticed when they are measured."""
    settings = {"learning_rate": 1e30, "batch_size": 48, "epochs": 3, "grad_clip": 1e30}
    assert main(flags(out=tmp_path / "run", **settings)) == 2
    stderr = capsys.readouterr().err
    assert "epoch 0, step 1: the test loss is" in stderr and "Traceback" not in stderr


def test_a_checkpoint_of_another_network_is_not_resumed(run, tmp_path, capsys):
    """Nor is one whose weights are not numbers measured."""
    other = tmp_path / "other"
    assert main(flags(out=other, init_channels=4, epochs=1)) == 0
    shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    shutil.copytree(other / "checkpoints", tmp_path / "run" / "checkpoints")
    capsys.readouterr()
    assert main(["--resume", f"--out={tmp_path / 'run'}", "--epochs=3"]) == 2
    assert "does not belong to this run" in capsys.readouterr().err
    (checkpoint,) = list_checkpoints(other / "checkpoints")[:1]
    state = load_checkpoint(checkpoint)
    state["net"]["classifier.bias"].fill_(torch.nan)
    write_checkpoint(checkpoint, state)
    assert main([f"--evaluate={checkpoint}"]) == 2
    assert "the test loss is nan" in capsys.readouterr().err


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state["description"]["model"].update(init_channels=-4),
        lambda state: state["description"]["model"].update(num_cells="x"),
        lambda state: state["description"]["config"].update(epochs=torch.zeros(3)),
        lambda state: state["net"].update({"classifier.bias": 5}),
        lambda state: state["net"].update({7: torch.zeros(1)}),
        lambda state: state.update(ema=[1]),
        lambda state: state["description"].pop("classes"),
    ],
)
def test_damaged_checkpoints_are_one_line(run, tmp_path, capsys, damage):
    state = load_newest(run / "checkpoints")
    damage(state)
    write_checkpoint(tmp_path / "damaged.pt", state)
    assert main([f"--evaluate={tmp_path / 'damaged.pt'}"]) == 2
    stderr = capsys.readouterr().err.strip()
    assert "damaged.pt" in stderr and "\n" not in stderr


def test_a_result_does_not_outlive_an_extension(run, tmp_path, monkeypatch):
    """With more epochs to go the old result is gone; what a kill left out is written again."""
    out = tmp_path / "run"
    shutil.copytree(run, out)
    for name in ("env.json", "cost.json", "genotype.json"):
        (out / name).unlink()
    original = Trainer.step_done

    def step_done(self):
        signal.raise_signal(signal.SIGTERM)
        original(self)

    with monkeypatch.context() as context:
        context.setattr(Trainer, "step_done", step_done)
        assert main(["--resume", f"--out={out}", "--epochs=3"]) == 143
    assert not (out / "evaluation.json").exists()
    assert main(["--resume", f"--out={out}", "--epochs=3"]) == 0
    assert read(out / "evaluation.json")["epoch"] == 2
    assert {path.name for path in out.iterdir()} == FILES
