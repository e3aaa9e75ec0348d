"""The loop of a search: stopping rules, monitors and what is recorded."""

import copy
import json
from dataclasses import dataclass

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.errors import ConfigError
from nas.operators import resolve
from nas.runtime.run_directory import RunDirectory
from nas.search import Architect
from nas.search.method import Method, Progress
from nas.search.methods.gdas import Gdas, one_hot
from nas.search.methods.pc_darts import PCDarts
from nas.search.monitors import Margin, measure_all
from nas.search.stops import Stop
from nas.space import load_space
from nas.supernet import Alphas, Supernet
from tests.contract.test_methods import searcher_of


@pytest.fixture
def space():
    space = load_space("mixed_edges")
    resolve(space)
    return space


class AfterTwo:
    """Ends a search after two epochs; keeps the cells of the first."""

    def __call__(self, records):
        return Stop(0, "two epochs are over") if len(records) >= 2 else None


def stopped(space, path, epochs=4):
    searcher = searcher_of("pc_darts", space, RunDirectory.create(path, {}), epochs=epochs)
    searcher.history.rules = (AfterTwo(),)
    return searcher


def test_a_rule_ends_the_search_and_names_the_cells(space, tmp_path):
    """Two of four epochs run; the cells are those of the epoch that the rule keeps."""
    searcher = stopped(space, tmp_path / "run")
    genotype = searcher.search()
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert len(records) == 2 and searcher.is_finished()
    assert [list(map(tuple, node)) for node in records[0]["genotype"]["normal"]] == [
        list(node) for node in genotype.normal
    ]
    assert searcher.history.record_of(0)["extra_alphas"] == records[0]["extra_alphas"]
    assert searcher.history.records == records  # a rule reads what the file holds


def test_a_resumed_search_decides_as_before(space, tmp_path):
    """The decision is read from metrics.jsonl, so nothing runs after a resume."""
    first = stopped(space, tmp_path / "run")
    genotype = first.search()
    second = searcher_of("pc_darts", space, first.run, epochs=4)
    second.history.rules = (AfterTwo(),)
    second.resume()
    assert second.is_finished() and second.search() == genotype
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2


def test_a_monitor_is_recorded_once(space, tmp_path):
    """Its numbers are in the record; two that measure the same are an error."""
    searcher = searcher_of("darts", space, RunDirectory.create(tmp_path / "run", {}), epochs=1)
    searcher.monitors = (Margin(),)
    searcher.search()
    margins = searcher.history.records[0]["measures"]
    assert set(margins) == {"margin/normal", "margin/reduce"}
    assert all(0 <= margin <= 1 for margin in margins.values())
    searcher.monitors = (Margin(), Margin())
    with pytest.raises(ConfigError, match="margin/normal, margin/reduce is measured twice"):
        measure_all(searcher)


def test_margin_by_hand(space, tmp_path):
    """The mean over edges of the largest weight less the second largest."""
    searcher = searcher_of("darts", space, RunDirectory.create(tmp_path / "run", {}))
    margins = Margin()(searcher)
    for group in space.groups:
        rows = searcher.alphas.softmax(group).sort(dim=1, descending=True).values
        expected = (rows[:, 0] - rows[:, 1]).mean().item()
        assert margins[f"margin/{group}"] == pytest.approx(expected, abs=1e-12)


def small(method, space):
    torch.manual_seed(0)
    net = Supernet(
        space, num_classes=3, init_channels=4, num_cells=3, build_edge=method.build_edge
    ).double()
    alphas = Alphas(space, 0.1, extra=method.extra_alphas(space, 0.1)).double()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    return net, alphas, optimizer


def batch(seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64, generator=generator)
    return images, torch.randint(3, (4,), generator=generator)


def test_second_order_of_betas_against_the_exact_derivative(space):
    """The finite difference also corrects the edge weights of PC-DARTS."""
    method = PCDarts(channel_fraction=2)
    net, alphas, optimizer = small(method, space)
    gradients = {}
    for order in ("first_order", "second_order", "second_order_exact"):
        architect = Architect(
            net, alphas, cross_entropy, optimizer, order=order, xi=0.5, epsilon=1e-6
        )
        gradients[order] = architect.gradient(
            batch(1),
            batch(2),
            arch_weights=lambda: method.arch_weights(alphas, Progress(0, 2), None),
        ).gradients
    for name, exact in gradients["second_order_exact"].items():
        torch.testing.assert_close(gradients["second_order"][name], exact, rtol=1e-4, atol=1e-6)
        correction = (gradients["first_order"][name] - exact).abs().max()
        assert correction > 1e-4, f"{name}: the correction would not be seen"


def test_a_draw_of_nothing_has_no_gradient(tmp_path):
    """Where only `none` is drawn the images reach no logit, and the alphas do not move."""
    path = tmp_path / "space.yaml"
    path.write_text("num_nodes: 2\nprimitives: [none, skip_connect, sep_conv_3x3]\n")
    space = load_space(path)
    resolve(space)
    method = Gdas()
    net, alphas, optimizer = small(method, space)
    only_none = torch.zeros(space.num_edges, 3, dtype=torch.float64)
    only_none[:, 0] = 9.0

    def arch_weights():
        return {
            group: one_hot((alphas[group] * 0 + only_none).softmax(dim=1))
            for group in alphas.groups
        }

    architect = Architect(net, alphas, cross_entropy, optimizer)
    gradient = architect.gradient(batch(1), arch_weights=arch_weights)
    assert gradient.val_loss.isfinite()
    for values in gradient.gradients.values():
        assert (values == 0).all()


class Count:
    """A state that counts steps."""

    def __init__(self):
        self.steps = 0

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


@dataclass(frozen=True)
class Counting(Method):
    """Brings a term and a state."""

    def terms(self):
        return (lambda alphas, progress: 1e3 * alphas.normal.sum(),)

    def make_state(self, searcher):
        return Count()

    def step(self, searcher, train_batch):
        searcher.method_state.steps += 1
        super().step(searcher, train_batch)


def test_a_method_brings_terms_and_a_state(space, tmp_path):
    """The term outweighs the loss, so every alpha falls; the count is in the checkpoint."""
    run = RunDirectory.create(tmp_path / "run", {})
    searcher = searcher_of("darts", space, run, method=Counting(), epochs=1)
    before = searcher.alphas.normal.detach().clone()
    searcher.search()
    falls = searcher.alphas.normal[searcher.alphas.mask("normal")]
    assert (falls < before[searcher.alphas.mask("normal")]).all()
    second = searcher_of("darts", space, run, method=Counting(), epochs=1)
    second.resume()
    assert second.method_state.steps == searcher.method_state.steps == len(searcher.train_loader)


@pytest.mark.parametrize("limit", [1e9, 1e-3])
def test_a_joint_step_is_one_gradient(space, tmp_path, limit):
    """Weights and alphas move by the gradient of the same loss; that of the alphas is clipped."""
    searcher = searcher_of("snas", space, RunDirectory.create(tmp_path / "run", {}))
    searcher.net.train()
    alphas, net = searcher.alphas, copy.deepcopy(searcher.net)
    searcher.alpha_optimizer = torch.optim.SGD(alphas.parameters(), lr=1.0)
    batch = next(iter(searcher.data.train_loader))
    state = searcher.generator.get_state()
    noise = searcher.method.draw(alphas, searcher.progress, searcher.generator)
    searcher.generator.set_state(state)
    weights = searcher.method.arch_weights(alphas, searcher.progress, noise)
    loss = cross_entropy(net(batch[0], weights), batch[1])
    gradients = torch.autograd.grad(loss, list(alphas.parameters()))
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    scale = (limit / norm).clamp(max=1)
    before = [alpha.detach().clone() for alpha in alphas.parameters()]
    weight = next(searcher.net.parameters()).detach().clone()
    searcher.joint_step(batch, limit)
    for old, new, gradient in zip(before, alphas.parameters(), gradients, strict=True):
        torch.testing.assert_close(old - new, scale * gradient, rtol=1e-3, atol=1e-6)
    assert not torch.equal(weight, next(searcher.net.parameters()))
