"""GDAS: what a step moves to the host."""

import torch

from nas.operators import resolve
from nas.runtime.compute import Compute
from nas.runtime.run_directory import RunDirectory
from nas.search.methods.gdas import Gdas
from nas.space import load_space
from tests.contract.test_methods import BATCH, searcher_of


def test_a_step_moves_its_draws_to_the_host_once(tmp_path, monkeypatch):
    """The draws of weights and alphas are one transfer, in however many passes they are used."""
    space = load_space("mixed_edges")
    resolve(space)
    method = Gdas()
    searcher = searcher_of("gdas", space, RunDirectory.create(tmp_path / "run", {}), method=method)
    searcher.compute = searcher.architect.compute = Compute(searcher.device, micro_batch=BATCH // 2)
    generator = torch.Generator().manual_seed(searcher.config.seed)
    expected = []
    for _ in range(2):
        noise = method.draw(searcher.alphas, searcher.progress, generator)
        weights = method.arch_weights(searcher.alphas, searcher.progress, noise)
        expected.append([of_group.chosen for of_group in weights.values()])

    ran, moved = [], []
    forward = type(searcher.net).forward

    def watched_forward(net, images, arch_weights):
        ran.append([weights.chosen for weights in arch_weights.values()])
        return forward(net, images, arch_weights)

    def watched(transfer):
        def call(tensor, *args):
            if not tensor.is_floating_point():
                moved.append(tensor.shape)
            return transfer(tensor, *args)

        return call

    monkeypatch.setattr(type(searcher.net), "forward", watched_forward)
    searcher._val_batches = iter(searcher.data.val_loader)
    train_batch = next(iter(searcher.data.train_loader))
    for name in ("tolist", "item", "cpu"):
        monkeypatch.setattr(torch.Tensor, name, watched(getattr(torch.Tensor, name)))
    method.step(searcher, train_batch)

    assert moved == [(4 * space.num_edges,)]
    assert ran == [expected[0]] * 2 + [expected[1]] * 2
