"""The search program from a space name to a genotype."""

import json
import math
from pathlib import Path

import numpy
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn.functional import cross_entropy

import nas.data.datasets
from nas.data import TensorLoader, TrainTransform, load_dataset, stratified_split
from nas.genotype import load_genotype
from nas.runtime.checkpoint import load_newest
from nas.search.architect import Architect
from nas.space import load_space
from nas.supernet import Alphas, Supernet
from tests.e2e.runs import SPACE, STEPS, TINY, search

FILES = {
    *("config.yaml", "env.json", "space.yaml", "genotype.json", "metrics.jsonl", "timing.jsonl"),
    "data.json",
    *("checkpoints", "tensorboard", "curves.png", "alphas.png", "report.html"),
    *("cell_normal.png", "cell_normal.svg", "cell_reduce.png", "cell_reduce.svg"),
}
METRICS = {
    *("epoch", "learning_rate", "train_loss", "train_accuracy", "val_loss", "val_accuracy"),
    *("alphas", "entropy", "num_skips", "genotype", "num_parameters", "madds"),
    *("arch_weights", "collapse", "decision"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished search of the smallest kind."""
    out = tmp_path_factory.mktemp("search") / "run"
    assert search(out) == 0
    return out


def metrics_of(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_the_run_directory_is_complete(run):
    """Exactly the documented files, and each of them is described in the document."""
    assert {path.name for path in run.iterdir()} == FILES
    document = Path("docs/run_directory.md").read_text()
    for name in FILES | METRICS:
        assert f"`{name}`" in document or f"`{name}/`" in document


def test_metrics(run):
    """One line an epoch with the documented keys, finite, and without a clock."""
    records = metrics_of(run)
    assert [record["epoch"] for record in records] == [0, 1]
    for record in records:
        assert record.keys() == METRICS
        assert numpy.shape(record["alphas"]["normal"]) == (5, 2)
        assert math.isfinite(record["train_loss"]) and 0 <= record["val_accuracy"] <= 100
    assert [record["learning_rate"] for record in records] == [0.025, pytest.approx(0.013)]


def test_timing_tells_how_long_steps_wait_for_data(run):
    """Within the time of the epoch, in each of its lines."""
    lines = [json.loads(line) for line in (run / "timing.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1]
    assert all(0 <= line["data_wait_s"] <= line["time_s"] for line in lines)
    assert any(line["data_wait_s"] for line in lines)
    assert "`data_wait_s`" in Path("docs/run_directory.md").read_text()


def test_genotype_carries_what_a_retrain_must_not_guess(run):
    """Space, primitives, seed, commit, final alphas, labels; and it is the last one logged."""
    genotype = load_genotype(run)
    last = metrics_of(run)[-1]
    assert genotype.space["name"] == "tiny" and genotype.space["num_nodes"] == 2
    assert genotype.search["seed"] == 0 and genotype.search["alphas"] == last["alphas"]
    assert {"commit", "epochs", "dataset", "architect"} <= genotype.search.keys()
    assert genotype.operators["sep_conv_3x3"]["family"] == "separable conv"
    document = json.loads((run / "genotype.json").read_text())
    assert document["version"] == 1
    assert {key: document[key] for key in last["genotype"]} == last["genotype"]


def test_tensorboard_shows_scalars_alphas_and_cells(run):
    """Curves, heat maps of both alphas and the diagrams of both cells."""
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    tags = events.Tags()
    assert {"train_loss", "val_accuracy", "entropy/normal", "num_skips/reduce"} <= {
        *tags["scalars"]
    }
    assert {*tags["images"]} == {"alphas/normal", "alphas/reduce", "cell_normal", "cell_reduce"}
    losses = [event.value for event in events.Scalars("train_loss")]
    assert losses == pytest.approx([record["train_loss"] for record in metrics_of(run)])


def test_the_same_seed_gives_the_same_bytes(run, tmp_path):
    """metrics.jsonl and genotype.json repeat bit for bit; another seed gives others."""
    assert search(tmp_path / "again") == 0
    assert search(tmp_path / "other", seed=1) == 0
    for name in ("metrics.jsonl", "genotype.json"):
        assert (tmp_path / "again" / name).read_bytes() == (run / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() != (run / name).read_bytes()


def test_the_loop_is_the_documented_recipe(run):
    """A plain loop written from the paper ends with the same weights and alphas, bit for bit."""
    images = load_dataset("shapes", split="train", max_images=TINY["max_images"], seed=0)
    seeds = [int(s) for s in numpy.random.SeedSequence(0).generate_state(4)]
    halves = stratified_split(images.labels, 0.5, seeds[0])
    transform = TrainTransform(images.info)
    train, val = (
        TensorLoader(
            images.images[half],
            images.labels[half],
            TINY["batch_size"],
            transform=transform,
            shuffle=True,
            seed=seed,
            memory_format=torch.channels_last,
        )
        for half, seed in zip(halves, seeds[1:3], strict=True)
    )
    torch.manual_seed(0)
    space = load_space(SPACE)
    net = Supernet(space, init_channels=TINY["init_channels"], num_cells=TINY["num_cells"])
    net = net.to(memory_format=torch.channels_last).train()
    alphas = Alphas(space)
    sgd = torch.optim.SGD(net.parameters(), 0.025, momentum=0.9, weight_decay=3e-4)
    adam = torch.optim.Adam(alphas.parameters(), 3e-4, (0.5, 0.999), weight_decay=1e-3)
    for epoch in range(2):
        sgd.param_groups[0]["lr"] = 0.001 + 0.024 * (1 + math.cos(math.pi * epoch / 2)) / 2
        for (x, y), (x_val, y_val) in zip(train, val, strict=True):
            statistics = {name: buffer.clone() for name, buffer in net.named_buffers()}
            adam.zero_grad()
            loss = cross_entropy(net(x_val, alphas.weights()), y_val)
            for alpha, gradient in zip(
                alphas.parameters(), torch.autograd.grad(loss, [*alphas.parameters()]), strict=True
            ):
                alpha.grad = gradient
            adam.step()
            for name, buffer in net.named_buffers():
                buffer.copy_(statistics[name])
            sgd.zero_grad()
            cross_entropy(net(x, alphas.weights()), y).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5)
            sgd.step()
    state = load_newest(run / "checkpoints")
    assert state["epoch"] == 2 and state["net"].keys() == net.state_dict().keys()
    for key, value in net.state_dict().items():
        assert torch.equal(state["net"][key], value), key
    for key, value in alphas.state_dict().items():
        assert torch.equal(state["alphas"][key], value), key


def test_alpha_batches_are_fresh(monkeypatch, tmp_path):
    """The val batches of an epoch are the val half, each image once."""
    seen = []
    original = Architect.step

    def spy(self, val_batch, train_batch=None, **rest):
        seen.append(val_batch[1])
        return original(self, val_batch, train_batch, **rest)

    monkeypatch.setattr(Architect, "step", spy)
    assert search(tmp_path / "run", epochs=1) == 0
    assert len(seen) == STEPS
    images = load_dataset("shapes", split="train", max_images=TINY["max_images"], seed=0)
    seed = int(numpy.random.SeedSequence(0).generate_state(1)[0])
    half = stratified_split(images.labels, 0.5, seed)[1]
    assert sorted(torch.cat(seen).tolist()) == sorted(images.labels[half].tolist())


def test_the_test_split_is_never_read(monkeypatch, tmp_path):
    """Only the training split is asked for."""
    splits = []
    load_shapes = nas.data.datasets.load_shapes

    def spy(*, split, **settings):
        splits.append(split)
        return load_shapes(split=split, **settings)

    monkeypatch.setattr(nas.data.datasets, "load_shapes", spy)
    assert search(tmp_path / "run", epochs=1) == 0
    assert splits == ["train"]


@pytest.mark.parametrize("flag", ["order", pytest.param("architect", marks=pytest.mark.slow)])
def test_second_order(run, tmp_path, flag):
    """It runs to the end, and finds other alphas than first order; the older flag works too."""
    assert search(tmp_path / "run", epochs=1, **{flag: "second_order"}) == 0
    assert metrics_of(tmp_path / "run")[0]["alphas"] != metrics_of(run)[0]["alphas"]


@pytest.mark.slow
def test_edges_that_differ(tmp_path):
    """A space with a list for every edge; absent pairs are null in the metrics."""
    assert search(tmp_path / "run", space="mixed_edges", epochs=1) == 0
    assert None in metrics_of(tmp_path / "run")[0]["alphas"]["normal"][0]


def test_a_plugin_operator_goes_all_the_way(tmp_path):
    """An operator of the user's own is searched, decoded, described and drawn."""
    plugin = tmp_path / "my_ops.py"
    plugin.write_text(
        "from torch import nn\n"
        "from nas.operators import register_operator\n"
        "@register_operator('shuffle_conv', label='my shuffle', family='conv')\n"
        "def build(channels, stride, *, affine):\n"
        "    return nn.Conv2d(channels, channels, 1, stride)\n"
    )
    out = tmp_path / "run"
    assert search(out, space="shuffle_conv", plugins=plugin, epochs=1) == 0
    assert set(load_genotype(out).primitives) == {"shuffle_conv"}
    assert "my shuffle" in (out / "cell_normal.svg").read_text()
