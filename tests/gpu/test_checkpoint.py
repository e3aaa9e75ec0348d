"""A checkpoint file, which is read onto the CPU, goes on with a GPU that does not exist."""

import pytest
import torch
from torch.utils._pytree import tree_map_only

import nas.runtime.loop
from nas.runtime.run_directory import RunDirectory
from tests.gpu.fake import GPU, fake_gpu, is_on_gpu
from tests.gpu.searches import searcher_on_gpu, small_space
from tests.gpu.test_train import found_network, train_an_epoch, trainer_on_gpu


def as_read(state):
    """A state as `parse_checkpoint` returns it: on the CPU."""
    return tree_map_only(
        torch.Tensor,
        lambda x: torch.ones(x.shape, dtype=x.dtype) if is_on_gpu(x) else x,
        state,
    )


@pytest.fixture
def reading_onto_the_cpu(monkeypatch):
    """Checkpoints are written with tensors of `meta`, which have no numbers to read."""
    parse = nas.runtime.loop.parse_checkpoint
    monkeypatch.setattr(nas.runtime.loop, "parse_checkpoint", lambda *given: as_read(parse(*given)))


def devices(state):
    """Of the tensors that are not counters of the host."""
    found = set()
    tree_map_only(torch.Tensor, lambda x: found.add(x.device) if x.ndim else None, state)
    return found


TO_META = "ignore:.*copying from a non-meta parameter:UserWarning"
"""`load_state_dict` says that it moves no numbers, of which there are none."""


@pytest.mark.usefixtures("reading_onto_the_cpu")
@pytest.mark.filterwarnings(TO_META)
@pytest.mark.parametrize("name", ["oles", pytest.param("drnas", marks=pytest.mark.slow)])
def test_a_search_goes_on(tmp_path, name):
    """Weights, momentum, alphas, means and the state of the method are on the GPU again."""
    run = RunDirectory.create(tmp_path / "run", {})
    with fake_gpu():
        first = searcher_on_gpu(name, small_space("cell"), run)
        first._train()
        first.save()
        second = searcher_on_gpu(name, small_space("cell"), run)
        second.resume()
        assert second.step_in_epoch == first.step_in_epoch > 0
        second.epoch, second.step_in_epoch = 1, 0
        second._train()  # tensors of two devices would be an error
        state = second.state_dict()
    for part in ("net", "alphas", "weight_optimizer", "alpha_optimizer"):
        assert devices(state[part]) == {GPU}
    assert devices(state["ranks"][0]["train_meter"]) == {torch.device("cpu")}


@pytest.mark.usefixtures("reading_onto_the_cpu")
@pytest.mark.filterwarnings(TO_META)
@pytest.mark.parametrize("settings", [{}, {"ema_decay": 0.9, "optimizer": "rmsprop"}])
def test_a_training_goes_on(tmp_path, settings):
    """Weights, their moving average and what the optimizer keeps are on the GPU again."""
    run = RunDirectory.create(tmp_path / "run", {})
    with fake_gpu():
        first = trainer_on_gpu(found_network(), run, **settings)
        train_an_epoch(first)
        first.save()
        second = trainer_on_gpu(found_network(), run, **settings)
        second.resume()
        assert second.step_in_epoch == first.step_in_epoch > 0
        second.step_in_epoch = 0
        train_an_epoch(second)
        state = second.state_dict()
    for part in ("net", "optimizer", *(["ema"] if settings else [])):
        assert devices(state[part]) == {GPU}
