"""Training and evaluation on a GPU that does not exist: devices, and what the host waits for."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.config import AugmentConfig, DetectConfig, resolved
from nas.data import EvalTransform, TrainTransform
from nas.detect.trainer import DetectTrainer
from nas.genotype import load_genotype
from nas.models import GenotypeNetwork, build_network
from nas.models.detection import build_detector
from nas.runtime.compute import Compute
from nas.runtime.evaluation import evaluate
from nas.runtime.run_directory import RunDirectory
from nas.train import TrainData, Trainer
from tests.gpu.fake import GPU, Wait, fake_gpu
from tests.gpu.searches import BATCH, INFO, NUM_STEPS, SIZE, loader, waits_of_steps

CHECK = Wait("copy to the host", "finite._check")


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "run", {})


def found_network():
    net = GenotypeNetwork(load_genotype("DARTS_V2"), num_classes=3, init_channels=4, num_cells=3)
    return net.train()


def trainer_on_gpu(net, run, dtype=None, micro_batch=None, **settings):
    """Build a trainer as the program does; call it inside `fake_gpu`."""
    compute = Compute(GPU, dtype, torch.channels_last, micro_batch=micro_batch)
    config = resolved(AugmentConfig(epochs=2, batch_size=BATCH, **settings))
    return Trainer(
        compute.place(net),
        config=config,
        loss=cross_entropy,
        data=TrainData(
            loader(compute, 1, TrainTransform(INFO, cutout=4)),
            loader(compute, 2, EvalTransform(INFO)),
            None,
            (3, SIZE, SIZE),
            3,
            BATCH * NUM_STEPS,
            BATCH * NUM_STEPS,
        ),
        run=run,
        description={},
        compute=compute,
    )


def train_an_epoch(trainer):
    """The steps of an epoch, with drop path."""
    trainer.net.drop_path_prob = 0.2
    trainer.net.train()
    for batch in trainer.train_batches():
        trainer.step(batch)
        trainer.step_done()


SETTINGS = {
    "darts": {},
    "released_mobilenext": {"ema_decay": 0.9, "optimizer": "rmsprop", "norm_decay": False},
    "micro_batches": {"micro_batch": 2, "grad_clip": None},
    "bf16": {"dtype": torch.bfloat16},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_training_step_waits_once(run, name):
    """For the check of its numbers, whatever the recipe."""
    with fake_gpu() as gpu:
        trainer = trainer_on_gpu(found_network(), run, **SETTINGS[name])
        steps = waits_of_steps(gpu, trainer, lambda: train_an_epoch(trainer))
    assert steps == (NUM_STEPS - 1) * [[CHECK]]


def test_a_training_step_in_fp16(run):
    """The loss scaler of torch asks before the step of the optimizer."""
    with fake_gpu() as gpu:
        trainer = trainer_on_gpu(found_network(), run, dtype=torch.float16)
        steps = waits_of_steps(gpu, trainer, lambda: train_an_epoch(trainer))
    assert all(CHECK in step and len(step) == 2 for step in steps)


@pytest.mark.parametrize(
    "name",
    [
        "mobilenext_0.1",
        "mobilenet_v2_0.1",
        pytest.param("mobilenext_se_1.0", marks=pytest.mark.slow),
    ],
)
def test_a_training_step_of_a_network_by_name(run, name):
    with fake_gpu() as gpu:
        net = build_network(name, num_classes=3)
        trainer = trainer_on_gpu(net, run, drop_path_prob=None)
        steps = waits_of_steps(gpu, trainer, lambda: train_an_epoch(trainer))
    assert steps == (NUM_STEPS - 1) * [[CHECK]]


def test_evaluation_waits_at_its_end(run):
    """No batch waits; the counts are read once, at the end."""
    compute = Compute(GPU, memory_format=torch.channels_last)
    with fake_gpu() as gpu:
        net, images = compute.place(found_network()), loader(compute, 1, EvalTransform(INFO))
        seen = []
        found = evaluate(
            net, images, 3, compute=compute, on_batch=lambda: seen.append(len(gpu.waits))
        )
        at_end = gpu.waits[seen[-1] :]
    assert len(seen) == NUM_STEPS and len(set(seen[1:])) == 1
    assert {wait.where for wait in at_end} == {"evaluation.evaluate"}
    assert len(at_end) == 3 and len(found.per_class_accuracy) == 3


def test_a_step_of_a_detector_waits_once(run):
    """Matched and hard priors are chosen without the host knowing how many there are."""
    compute = Compute(GPU, memory_format=torch.channels_last)
    config = DetectConfig(data=("",), iterations=4, eval_interval=2, batch_size=2)
    with fake_gpu() as gpu:
        net = compute.place(build_detector("ssdlite320_mobilenext_0.1", 2))
        trainer = DetectTrainer(
            net,
            config=config,
            data=SimpleNamespace(train_loader=[None, None]),
            run=run,
            description={},
            compute=compute,
        )
        batch = trainer.example_batch()
        net.train()
        trainer.step(batch)
        with gpu.counted() as found:
            trainer.step(batch)
    assert found == [CHECK]
