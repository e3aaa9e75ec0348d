"""The training loop of a detector: signals, numbers that are not finite, micro-batches, memory."""

import json
import signal

import pytest
import torch
from torch import nn

from nas.cli.main import main
from nas.config import DetectConfig
from nas.detect.data import load_data
from nas.detect.run import train_detector
from nas.detect.trainer import DetectTrainer
from nas.errors import TrainingError
from nas.models.detection import build_detector
from nas.runtime.checkpoint import load_newest
from nas.runtime.compute import Compute
from nas.runtime.run_directory import RunDirectory
from tests.unit.detect.test_train import settings, train
from tests.unit.detect.voc_folder import small_voc

CPU = torch.device("cpu")


@pytest.fixture
def build(tmp_path):
    """Return a function that makes a trainer of a tiny detector, with its own run directory."""
    folder = small_voc(tmp_path / "voc")

    def make(compute=None, **changes):
        values = {"iterations": 2, "eval_interval": 2, "batch_size": 4, "workers": 0, **changes}
        config = DetectConfig(data=(str(folder),), **values)
        compute = compute or Compute(CPU)
        torch.manual_seed(0)
        net = build_detector("ssdlite320_mobilenext_0.1", 2)
        number = len(list(tmp_path.glob("run*")))
        return DetectTrainer(
            net,
            config=config,
            data=load_data(config, compute),
            run=RunDirectory.create(tmp_path / f"run{number}", {}),
            description={},
            compute=compute,
        )

    return make


def test_micro_batches_take_the_same_step(build):
    """The loss is divided by the matches of the whole batch, however they are spread over it."""
    weights = []
    for micro_batch in (None, 2):
        trainer = build(Compute(CPU, micro_batch=micro_batch))
        for module in trainer.net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()  # its mean over the batch is what micro-batches change
        images, targets = next(iter(trainer.train_loader))
        targets[2:] = 0  # the second micro-batch has no match at all
        trainer.step((images, targets))
        weights.append([p.detach().clone() for p in trainer.net.parameters()])
    start = list(build().net.parameters())
    moved = [not torch.equal(a, b) for a, b in zip(weights[0], start, strict=True)]
    assert sum(moved) > len(moved) / 2
    for whole, split in zip(*weights, strict=True):
        torch.testing.assert_close(split, whole, rtol=1e-4, atol=1e-7)


def test_a_loss_that_is_not_finite_stops(build):
    """The message says where, what, and what to do; the weights are those of before the step."""
    trainer = build()
    images, targets = next(iter(trainer.train_loader))
    before = [p.detach().clone() for p in trainer.net.parameters()]
    images[0] = torch.inf
    said = "iteration 0: weight step: not finite: train_loss nan.*lower learning_rate"
    with pytest.raises(TrainingError, match=said):
        trainer.step((images, targets))
    assert all(map(torch.equal, before, trainer.net.parameters()))


def test_a_step_that_is_not_finite_is_skipped(build):
    """As if its batch had not been there: weights, statistics and losses."""
    trainer, without = build(non_finite="skip"), build(non_finite="skip")
    batch = next(iter(trainer.train_loader))
    for one in (trainer, without):
        one.net.train()
        if one is trainer:
            one.step((batch[0].clone().fill_(torch.inf), batch[1]))
        one.step(batch)
    assert (trainer.guard.num_skipped, without.guard.num_skipped) == (1, 0)
    state = trainer.net.state_dict()
    for key, value in without.net.state_dict().items():
        assert torch.equal(value, state[key]), key
    assert trainer.train_meter.loss == without.train_meter.loss


def test_running_out_of_memory_names_settings_of_a_detector(build, tmp_path, monkeypatch):
    """Before the first step and in one; no setting that a classifier alone has."""
    config = DetectConfig(
        data=(str(tmp_path / "voc"),),
        out=str(tmp_path / "out"),
        model="ssdlite320_mobilenext_0.1",
        iterations=1,
        eval_interval=1,
        batch_size=2,
        workers=0,
        device="cpu",
    )
    build()

    def fail(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("nas.runtime.step_memory.total_memory_mib", lambda device: 1.0)
    for target, said in (
        ("nas.detect.run.DetectTrainer", "a step needs about"),
        ("nas.detect.run.load_data", "before the first step"),
    ):
        with monkeypatch.context() as patch, pytest.raises(TrainingError) as caught:
            patch.setattr(target, fail)
            train_detector(config)
        message = str(caught.value)
        assert said in message and "`model`, such as ssdlite320_mobilenext_0.5" in message
        assert all(name not in message for name in ("init_channels", "image_size", "max_images"))
        if (tmp_path / "out").exists():
            (tmp_path / "out").rename(tmp_path / "stopped")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the images and the directory of a run that was never stopped."""
    folder = small_voc(tmp_path_factory.mktemp("voc"))
    out = tmp_path_factory.mktemp("whole") / "run"
    assert train(folder, out) == 0
    return folder, out


@pytest.mark.slow
# A run looks for a signal after each of its 4 steps, each of its 2 measurements, each interval.
@pytest.mark.parametrize("number", [1, 2, 3, 4, 6, 8])
def test_stopped_and_resumed_equals_never_stopped(whole, tmp_path, monkeypatch, capsys, number):
    """In an interval, while measuring, and between intervals: the same bytes."""
    folder, reference = whole
    original, count = DetectTrainer.check_stop, 0

    def check(self):
        nonlocal count
        count += 1
        if count == number:
            signal.raise_signal(signal.SIGTERM)
        original(self)

    out = tmp_path / "cut"
    with monkeypatch.context() as context:
        context.setattr(DetectTrainer, "check_stop", check)
        assert train(folder, out) == 128 + signal.SIGTERM
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("nas detect train: stopped after") and f"--resume --out {out}" in said
    assert not (out / "detection.json").exists()
    assert main(["detect", "train", "--resume", f"--out={out}"]) == 0
    for name in ("metrics.jsonl", "detection.json"):
        assert (out / name).read_bytes() == (reference / name).read_bytes()
    expected, cut = (load_newest(path / "checkpoints") for path in (reference, out))
    for part in ("net", "optimizer"):
        torch.testing.assert_close(cut[part], expected[part], rtol=0, atol=0)


@pytest.mark.slow
def test_a_whole_run_in_micro_batches(tmp_path):
    """It is recorded in the settings, and steps that are left out are counted."""
    folder = small_voc(tmp_path / "voc")
    out = tmp_path / "out"
    changes = {"batch_size": 4, "micro_batch": 2, "non_finite": "skip"}
    assert main(["detect", "train", *settings(folder, out, **changes)]) == 0
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [record["num_non_finite"] for record in records] == [0, 0]
    assert "micro_batch: 2" in (out / "config.yaml").read_text()
