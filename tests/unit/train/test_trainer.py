"""A training step against its definition, and what surrounds it."""

import copy
import json

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nas.config import AugmentConfig, resolved
from nas.errors import TrainingError
from nas.runtime.checkpoint import load_checkpoint
from nas.runtime.compute import Compute
from nas.runtime.estimate import estimate
from nas.runtime.run_directory import RunDirectory
from nas.train import TrainData, Trainer

SHAPE = (3, 4, 4)


class Net(nn.Module):
    """Two heads, a BatchNorm and dropout, as small as can be."""

    def __init__(self):
        super().__init__()
        self.drop_path_prob = 0.0
        self.dropout = 0.1
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(48, 5)
        self.auxiliary_head = nn.Linear(48, 5)

    def forward(self, x):
        features = nn.functional.dropout(self.norm(x).flatten(1), self.dropout, self.training)
        logits = self.head(features)
        return (logits, self.auxiliary_head(features)) if self.training else logits


class Loader(list):
    """A list of batches with the state that a loop asks for."""

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def batch(seed, num=6):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num, *SHAPE, generator=generator), torch.arange(num) % 5


@pytest.fixture
def build(tmp_path):
    """Make a trainer with other settings than the small default ones."""

    def make(val=False, compute=None, **settings):
        torch.manual_seed(0)
        settings = {"epochs": 2, "batch_size": 6, "learning_rate": 0.1} | settings
        config = resolved(AugmentConfig(**settings))
        val_loader = Loader([batch(7)]) if val else None
        data = TrainData(
            train_loader=Loader([batch(1), batch(2)]),
            test_loader=Loader([batch(3), batch(4, 2)]),
            val_loader=val_loader,
            image_shape=SHAPE,
            num_classes=5,
            num_train=12,
            num_test=8,
        )
        run = RunDirectory.create(tmp_path / f"run{len([*tmp_path.iterdir()])}", {})
        return Trainer(
            Net(),
            config=config,
            loss=cross_entropy,
            data=data,
            run=run,
            description={"model": "net"},
            compute=compute,
        )

    return make


def test_the_loop_is_the_recipe(build):
    """Two epochs against a plain loop: auxiliary loss, clipping, momentum, schedule."""
    trainer = build(grad_clip=0.5, weight_decay=0.01, auxiliary_weight=0.4)
    plain = copy.deepcopy(trainer.net)
    optimizer = torch.optim.SGD(plain.parameters(), 0.1, momentum=0.9, weight_decay=0.01)
    rng = torch.get_rng_state()
    trainer.train()
    torch.set_rng_state(rng)
    for rate in (0.1, 0.05):
        optimizer.param_groups[0]["lr"] = rate
        for x, y in (batch(1), batch(2)):
            logits, aux_logits = plain.train()(x)
            optimizer.zero_grad()
            (cross_entropy(logits, y) + 0.4 * cross_entropy(aux_logits, y)).backward()
            norm = nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
            assert norm > 0.5  # the clip is at work
            optimizer.step()
    for key, value in plain.state_dict().items():
        assert torch.equal(value, trainer.net.state_dict()[key]), key
    assert trainer.net.drop_path_prob == 0.1  # 0.2 * 1 / 2 in the second epoch


def test_micro_batches(build):
    """Without a norm over the batch, the weights after a step are those of the whole batch."""
    weights = []
    for compute in (Compute(torch.device("cpu")), Compute(torch.device("cpu"), micro_batch=2)):
        trainer = build(compute=compute, auxiliary_weight=0.4)
        trainer.net.norm = nn.Identity()
        trainer.net.eval()  # no dropout; the auxiliary head is then left out
        trainer.step(batch(1))
        weights.append(trainer.net.head.weight.detach().clone())
        assert trainer.train_meter.loss > 0
    torch.testing.assert_close(*weights, rtol=1e-5, atol=1e-7)


def test_moving_average(build):
    """The average = decay * average + (1 - decay) * w; the first is a copy."""
    trainer = build(ema_decay=0.75)
    expected = None
    for seed in (1, 2, 3):
        trainer.net.train()
        trainer.step(batch(seed))
        weight = trainer.net.head.weight.detach().clone()
        expected = weight if expected is None else 0.75 * expected + 0.25 * weight
    assert torch.allclose(trainer.measured_net.head.weight, expected, atol=1e-7)
    assert trainer.measured_net is not trainer.net
    assert build().measured_net is not None and build().ema is None


def test_best_is_chosen_by_held_out_images_only(build, monkeypatch):
    """best.pt holds the epoch with the highest val accuracy, whatever the test split says."""
    accuracies = {"val": iter([60.0, 70.0, 70.0]), "test": iter([99.0, 1.0, 100.0])}
    trainer = build(val=True, epochs=3)
    original = trainer._measure

    def measure(loader, split):
        assert split == ("val" if loader is trainer.data.val_loader else "test")
        found = original(loader, split)
        object.__setattr__(found, "top1", next(accuracies[split]))
        return found

    monkeypatch.setattr(trainer, "_measure", measure)
    found = trainer.train()
    best = load_checkpoint(trainer.run.checkpoints / "best.pt")
    assert best["epoch"] == 1 and found.top1 == 100.0
    assert best["measured_net"].keys() == trainer.net.state_dict().keys()
    without = build()
    without.train()
    assert not (without.run.checkpoints / "best.pt").exists()


@pytest.mark.parametrize(("interval", "measured"), [(1, [0, 1, 2]), (2, [1, 2]), (9, [2])])
def test_the_last_epoch_is_always_measured(build, interval, measured):
    trainer = build(epochs=3, eval_interval=interval)
    records = []
    trainer.callbacks.append(records.append)
    trainer.train()
    assert [r["epoch"] for r in records if "test_accuracy" in r] == measured


def test_a_loss_that_is_not_finite_stops_the_run(build):
    """The message has epoch, step and the last good checkpoint, whose weights are finite."""
    trainer = build(epochs=3)
    x, y = batch(2)
    # Good in the first epoch; its second batch is spoilt in the second one.
    trainer.callbacks.append(lambda record: x.fill_(torch.nan))
    trainer.train_loader[1] = (x, y)
    said = (
        r"epoch 1, step 1: .* train_loss nan, gradient_norm nan; norm of the weights [\d.]+; "
        r".*step_000000002\.pt"
    )
    with pytest.raises(TrainingError, match=said):
        trainer.train()
    kept = load_checkpoint(trainer.run.checkpoints / "step_000000002.pt")
    assert all(value.isfinite().all() for value in kept["net"].values())


def test_steps_that_are_not_finite_are_skipped_and_counted(build):
    """As if the spoilt batch had not been there: weights, statistics, optimiser and means."""
    trainer, without = build(non_finite="skip"), build(non_finite="skip")
    spoilt = batch(9)
    spoilt[0][0] = torch.inf  # spoils the running mean too, which must be put back
    trainer.train_loader.insert(1, spoilt)
    for one in (trainer, without):
        one.net.dropout = 0.0  # its random numbers would differ
        one.train()
    for key, value in without.net.state_dict().items():
        assert torch.equal(value, trainer.net.state_dict()[key]), key
    assert trainer.last_evaluation == without.last_evaluation
    lines = (trainer.run.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["num_non_finite"] for line in lines] == [1, 1]


def test_an_epoch_of_nothing_but_such_steps_stops(build):
    trainer = build(non_finite="skip")
    for x, _ in trainer.train_loader:
        x.fill_(torch.inf)
    with pytest.raises(TrainingError, match="none of 2 steps"):
        trainer.train()


def test_the_learning_rate_is_scaled_only_when_asked(build):
    """The linear rule: batch_size / reference_batch_size; the record has what was used."""
    for settings, rate in (({}, 0.1), ({"reference_batch_size": 24}, 0.025)):
        trainer = build(epochs=1, **settings)
        trainer.train()
        record = json.loads((trainer.run.path / "metrics.jsonl").read_text())
        assert record["learning_rate"] == trainer.optimizer.param_groups[0]["lr"]
        assert record["learning_rate"] == pytest.approx(rate)


@pytest.mark.parametrize(("minutes", "expected"), [(1e-9, [1, 2, 3, 4]), (None, [2, 4])])
def test_checkpoints_between_epochs(build, monkeypatch, minutes, expected):
    """After some minutes, in addition to every epoch."""
    trainer = build(checkpoint_minutes=minutes)
    steps = []
    monkeypatch.setattr(trainer.run, "save_checkpoint", lambda step, state: steps.append(step))
    trainer.train()
    assert sorted(set(steps)) == expected


def test_bf16_runs_the_forward_pass_in_bf16_and_keeps_fp32_weights(build):
    trainer = build(compute=Compute(torch.device("cpu"), torch.bfloat16))
    seen = []
    trainer.net.head.register_forward_hook(lambda *call: seen.append(call[2].dtype))
    trainer.train()
    assert set(seen) == {torch.bfloat16}
    assert {p.dtype for p in trainer.net.parameters()} == {torch.float32}


def test_an_estimate_leaves_no_trace(build):
    """Training after an estimate ends with the same bits as without."""
    with_estimate, without = build(ema_decay=0.5), build(ema_decay=0.5)
    rng = torch.get_rng_state()
    found = estimate(with_estimate)
    assert torch.equal(torch.get_rng_state(), rng)
    with_estimate.train()
    torch.set_rng_state(rng)
    without.train()
    for key, value in without.ema.state_dict().items():
        assert torch.equal(value, with_estimate.ema.state_dict()[key]), key
    assert 0 < found.step_time_s < 5 and found.peak_memory_mib > 1
    assert found.epoch_time_s == pytest.approx(2 * found.step_time_s)
