"""The guard against numbers that are not finite."""

import pytest
import torch
from torch import nn

from nas.errors import TrainingError
from nas.runtime.finite import FiniteGuard

NAN, ONE = torch.tensor(float("nan")), torch.ones(())
CPU, GPU = torch.device("cpu"), torch.device("cuda")
PLACE = "epoch 0, step 3"


def guard(policy="stop", device=CPU):
    return FiniteGuard(
        policy,
        device,
        lambda: PLACE,
        lambda problem, advice: TrainingError(f"{problem}; {advice}"),
    )


def test_on_a_cpu_every_check_is_immediate():
    with pytest.raises(TrainingError, match="alpha step: not finite: val_loss nan"):
        guard().expect_finite("alpha step", val_loss=NAN)


def test_on_a_gpu_a_step_is_checked_once():
    """A deferred check is made together with the next one; the error names the step it began in."""
    on_gpu = guard(device=GPU)
    assert on_gpu.expect_finite("alpha step", val_loss=NAN)
    with pytest.raises(TrainingError, match="alpha step: not finite: val_loss nan"):
        on_gpu.check_finite("weight step", train_loss=NAN)
    assert on_gpu.expect_finite("alpha step", val_loss=ONE)
    assert on_gpu.check_finite("weight step", train_loss=ONE)
    assert on_gpu.expect_finite("alpha step", val_loss=ONE)
    with pytest.raises(TrainingError, match="weight step: not finite: train_loss nan, norm 2;"):
        on_gpu.check_finite("weight step", train_loss=NAN, norm=2.0)


def test_what_is_put_off_to_the_next_step_names_its_own(monkeypatch):
    """A method whose last step is of the alphas is checked a step later, or before a checkpoint."""
    for check in (FiniteGuard.check_deferred, lambda g: g.check_finite("weight step", loss=ONE)):
        on_gpu = guard(device=GPU)
        assert on_gpu.expect_finite("alpha step", val_loss=NAN)
        with monkeypatch.context() as later:
            later.setitem(globals(), "PLACE", "epoch 0, step 4")
            with pytest.raises(TrainingError, match="epoch 0, step 3: alpha step: not finite"):
                check(on_gpu)


def test_the_last_numbers_are_on_the_host():
    """What a progress bar shows is there without asking the GPU; a bad step leaves them."""
    skipping = guard("skip")
    assert skipping.check_finite("weight step", train_loss=torch.tensor(0.5), gradient_norm=2.0)
    assert not skipping.check_finite("weight step", train_loss=NAN)
    assert skipping.numbers == {"train_loss": 0.5, "gradient_norm": 2.0}


def test_skipped_steps_are_counted_at_once():
    skipping = guard("skip", GPU)
    assert not skipping.expect_finite("alpha step", val_loss=NAN)
    assert not skipping.check_finite("weight step", train_loss=ONE, gradient_norm=float("inf"))
    assert skipping.check_finite("weight step", train_loss=ONE)
    assert skipping.num_skipped == 2
    with pytest.raises(TrainingError, match="none of 3 steps had a finite loss"):
        skipping.check_any_step(0, 3)
    skipping.check_any_step(1, 3)


def test_measured_losses():
    guard().check_measured(0.5, "test")
    with pytest.raises(TrainingError, match="the test loss is inf; try a lower learning_rate"):
        guard().check_measured(float("inf"), "test")


@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_running_statistics_are_restored_only_if_steps_can_be_left_out(policy):
    net = nn.BatchNorm2d(2)
    restore = guard(policy).remember_buffers(net)
    net(torch.full((2, 2, 3, 3), 7.0))
    restore()
    was_restored = torch.equal(net.running_mean, torch.zeros(2)) and net.num_batches_tracked == 0
    assert was_restored == (policy == "skip")
