"""Numbers that are not finite on a GPU that does not exist: the error, and steps left out."""

import pytest

from nas.errors import TrainingError
from nas.runtime.run_directory import RunDirectory
from tests.gpu.fake import Wait, fake_gpu
from tests.gpu.searches import NUM_STEPS, searcher_on_gpu, small_space, waits_of_steps
from tests.gpu.test_train import found_network, train_an_epoch, trainer_on_gpu

CHECK = Wait("copy to the host", "finite._check")


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "run", {})


def a_search(run, **settings):
    """A search, and what runs the steps of its first epoch."""
    searcher = searcher_on_gpu("darts", small_space("cell"), run, **settings)
    return searcher, searcher._train


def a_training(run, **settings):
    """A training, and what runs the steps of its first epoch."""
    trainer = trainer_on_gpu(found_network(), run, **settings)
    return trainer, lambda: train_an_epoch(trainer)


FIRST_STEPS = {a_search: "alpha step: not finite: val_loss nan", a_training: "train_loss nan"}


@pytest.mark.parametrize("build", FIRST_STEPS)
def test_a_run_stops_with_the_reason(run, build):
    """What the first step that failed had, and the norms, which are read for it."""
    with fake_gpu() as gpu:
        _, run_epoch = build(run)
        gpu.number = float("nan")
        with pytest.raises(
            TrainingError, match=f"epoch 0, step 0: .*{FIRST_STEPS[build]}"
        ) as found:
            run_epoch()
    assert FIRST_STEPS[build] in str(found.value)
    assert "norm of the weights nan" in str(found.value)


@pytest.mark.parametrize(("build", "checks"), [(a_search, 2), (a_training, 1)])
def test_steps_are_left_out(run, build, checks):
    """Each check waits, and nothing else does: buffers go back to what they were on the GPU."""
    with fake_gpu() as gpu:
        loop, run_epoch = build(run, non_finite="skip")
        remember, restored = loop.guard.remember_buffers, []

        def remember_and_count(net):
            restore = remember(net)
            return lambda: restored.append(restore())

        loop.guard.remember_buffers = remember_and_count
        gpu.number = float("nan")
        steps = waits_of_steps(gpu, loop, run_epoch)
    assert steps == (NUM_STEPS - 1) * [checks * [CHECK]]
    assert len(restored) == NUM_STEPS
    assert loop.guard.num_skipped == checks * NUM_STEPS
    optimizers = [getattr(loop, name) for name in vars(loop) if name.endswith("optimizer")]
    assert len(optimizers) == checks and not any(optimizer.state for optimizer in optimizers)
