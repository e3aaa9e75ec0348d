"""What every search method must do, whoever wrote it."""

import json
import math
from functools import partial

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.config import SearchConfig
from nas.config.choice import read_choice
from nas.config.network_size import NetworkSize
from nas.data import DatasetInfo, TensorLoader, TrainTransform
from nas.distributed.launch import WHOLE, Share
from nas.distributed.ranks import ALONE
from nas.errors import ConfigError
from nas.genotype import Genotype
from nas.models.cost import evaluation_cost
from nas.operators import register_operator, resolve
from nas.report.figures.search_curves import curves_figure
from nas.runtime.compute import Compute
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.search import SearchData, Searcher, epoch_record, list_methods
from nas.search.data import NumImages
from nas.search.method import Method, Progress
from nas.search.monitors import DominantEigenvalue
from nas.search.projection import Choices, ProjectedMethod, Projector
from nas.search.registry import METHODS, build
from nas.search.selections import DartsPT
from nas.search.terms import BetaDecay
from nas.space import load_space
from nas.supernet import Alphas, Supernet
from tests.distributed.ranks import run_ranks

METHODS_AT_TEST_SIZE = {
    "drnas": "drnas,stages=2,channel_fraction=4,second_fraction=2,keep=2",
    "pc_darts": "pc_darts,channel_fraction=2,warmup_epochs=1",
}
SIZE, BATCH, IMAGES = 9, 4, 8


def method_of(name):
    return build(METHODS, read_choice(METHODS_AT_TEST_SIZE.get(name, name), "method"), "method")


def search_data(share=WHOLE):
    generator = torch.Generator().manual_seed(3)
    info = DatasetInfo("random", ("a", "b", "c"), SIZE, (0.5,) * 3, (0.25,) * 3)
    transform = TrainTransform(info, dtype=torch.float64)

    images = torch.randint(256, (IMAGES, 3, SIZE, SIZE), generator=generator).to(torch.uint8)
    labels = torch.randint(3, (IMAGES,), generator=generator)

    def loader(shuffle, seed):
        return TensorLoader(
            images,
            labels,
            BATCH,
            transform=transform,
            shuffle=shuffle,
            seed=seed,
            share=share,
        )

    return SearchData(
        train_loader=loader(True, 1),
        val_loader=loader(True, 2),
        measure_loader=lambda epoch: loader(False, 9 + epoch),
        image_shape=(3, SIZE, SIZE),
        num_classes=3,
        num_images=NumImages(IMAGES, IMAGES),
    )


def searcher_of(
    name, space, run, *, method=None, epochs=2, ranks=ALONE, share=WHOLE, by_source=True
):
    method = method or method_of(name)
    config = SearchConfig(
        method=METHODS_AT_TEST_SIZE.get(name, name),
        epochs=epochs,
        batch_size=BATCH,
        init_channels=4,
        num_cells=3,
        learning_rate=0.1,
        alpha_learning_rate=0.1,
    )
    method.check(config, space)
    torch.manual_seed(0)
    net = Supernet(
        space,
        num_classes=3,
        init_channels=4,
        num_cells=3,
        by_source=by_source,
        build_edge=method.build_edge,
    ).double()
    alphas = Alphas(space, 0.1, extra=method.extra_alphas(space)).double()
    return Searcher(
        config=config,
        space=space,
        net=net,
        alphas=alphas,
        loss=cross_entropy,
        data=search_data(share),
        run=run,
        method=method,
        terms=[BetaDecay()],
        ranks=ranks,
    )


def check_all_is_drawn(records, space):
    """Every number that a method logs is a line of the report."""
    lines = [line for axes in curves_figure(records, space).axes for line in axes.lines]
    drawn = [list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in lines]
    for record in records:
        measures = record.get("measures", {})
        guard = [v for by_group in record["collapse"].values() for v in by_group.values()]
        extra = [v for values in record.get("extra_alphas", {}).values() for v in flat(values)]
        for value in [*measures.values(), *guard, *extra]:
            assert any((record["epoch"], value) in points for points in drawn)


def flat(values):
    return [leaf for v in values for leaf in (flat(v) if isinstance(v, list) else [v])]


@pytest.fixture(scope="module")
def space():
    return load_space("mixed_edges")


@pytest.fixture(autouse=True)
def _resolved(space):
    resolve(space)


@pytest.fixture(autouse=True)
def _small_cost(monkeypatch):
    """Count cells in a small evaluation network; most of the time would go there."""
    small = partial(evaluation_cost, size=NetworkSize(4, 3))
    monkeypatch.setattr(epoch_record, "evaluation_cost", small)


def searching_methods(family="cell"):
    """All registered methods for a family but those that train nothing, such as random."""
    of_method = Method.without_search
    records = {name: METHODS.get(name).record for name in list_methods()}
    return [
        name
        for name, record in records.items()
        if record.without_search is of_method
        and (record.families is None or family in record.families)
    ]


@pytest.mark.parametrize("name", searching_methods())
class TestMethod:
    def test_searches_and_records(self, name, space, tmp_path):
        """Two epochs with odd images and lists for each edge; weights and cells are recorded."""
        searcher = searcher_of(name, space, RunDirectory.create(tmp_path / "run", {}))
        before = {key: value.clone() for key, value in searcher.alphas.named_parameters()}
        genotype = searcher.search()
        lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        assert len(records) == 2
        assert Genotype(**records[-1]["genotype"]) == genotype
        for group, on_edges in space.groups.items():
            for row, on_edge in zip(records[-1]["arch_weights"][group], on_edges, strict=True):
                assert [value is not None for value in row] == [
                    primitive in on_edge for primitive in space.primitives
                ]
        for key, value in searcher.alphas.named_parameters():
            assert not torch.equal(value, before[key]), f"{key} never moved"
        check_all_is_drawn(records, space)

    def test_resumes_bit_for_bit(self, name, space, tmp_path):
        """A run that stopped after its first epoch ends with the same bytes as one that did not."""
        whole = RunDirectory.create(tmp_path / "whole", {})
        searcher_of(name, space, whole).search()
        parts = RunDirectory.create(tmp_path / "parts", {})
        first = searcher_of(name, space, parts)
        first.epochs = 2
        first.is_finished = lambda: first.epoch >= 1
        first.run_epochs()
        second = searcher_of(name, space, parts)
        torch.manual_seed(99)
        second.resume()
        assert second.epoch == 1
        second.search()
        metrics = [(run.path / "metrics.jsonl").read_bytes() for run in (whole, parts)]
        assert metrics[0] == metrics[1]

    def test_measuring_has_no_randomness(self, name, space):
        """Without noise the weights are a function of the alphas."""
        method = method_of(name)
        alphas = Alphas(space, 0.1, extra=method.extra_alphas(space))
        one, two = (method.arch_weights(alphas, Progress(0, 2), None) for _ in range(2))
        for group in alphas.groups:
            assert torch.equal(one[group].ops, two[group].ops)

    def test_noise_comes_from_the_generator(self, name, space):
        """The same state of the generator gives the same weights; the global one is untouched."""
        method = method_of(name)
        alphas = Alphas(space, 0.1, extra=method.extra_alphas(space))
        before = torch.get_rng_state()
        weights = []
        for _ in range(2):
            generator = torch.Generator().manual_seed(5)
            noise = method.draw(alphas, Progress(0, 2), generator)
            weights.append(method.arch_weights(alphas, Progress(0, 2), noise))
        assert torch.equal(before, torch.get_rng_state())
        for group in alphas.groups:
            assert torch.equal(weights[0][group].ops, weights[1][group].ops)
            assert weights[0][group].chosen == weights[1][group].chosen

    def test_a_plugin_operator(self, name, tmp_path):
        """An operator that declares nothing about itself is searched and decoded."""

        @register_operator("my_conv")
        def build(channels, stride, *, affine):
            return torch.nn.Conv2d(channels, channels, 3, stride, padding=1)

        space = load_space("my_conv+skip_connect")
        resolve(space)
        run = RunDirectory.create(tmp_path / "run", {})
        genotype = searcher_of(name, space, run).search()
        assert set(genotype.primitives) <= {"my_conv", "skip_connect"}

    def test_composes_with_the_eigenvalue(self, name, space, tmp_path):
        """The monitor measures a finite number, or refuses the method by name before the run."""
        searcher = searcher_of(name, space, RunDirectory.create(tmp_path / "run", {}))
        monitor = DominantEigenvalue(num_products=2)
        try:
            monitor.check(searcher.config, space)
        except ConfigError as error:
            assert f"does not work with {searcher.config.method}" in str(error)
        else:
            assert math.isfinite(monitor(searcher)["eigenvalue"])

    def test_composes_with_darts_pt(self, name, space, tmp_path):
        """An edge is decided and a step of tuning works, or the method is refused by name."""
        searcher = searcher_of(name, space, RunDirectory.create(tmp_path / "run", {}))
        config = searcher.config
        try:
            DartsPT().check(config, space)
        except ConfigError as error:
            assert f"does not work with {config.method}" in str(error)
            return
        choices = Choices(space, {})
        projector = Projector(
            method=ProjectedMethod(searcher.method, Progress(1, 2), choices),
            interval=1,
            by_loss=True,
            config=config,
            space=space,
            net=searcher.net,
            alphas=searcher.alphas,
            loss=cross_entropy,
            data=searcher.data,
            run=searcher.run,
        )
        decision = projector.decide_operator("normal", 3)
        assert decision["operator"] in space.normal[3]
        choices.add(decision)
        projector._val_batches = iter(searcher.data.val_loader)
        projector.method.step(projector, next(iter(searcher.data.train_loader)))
        weights = projector.distribution()["normal"]
        assert weights.ops[3].sum() == 1 and weights.ops[3].max() == 1
        cells = projector.method.decode(projector.alphas, space, Progress(1, 2))
        assert set(cells.primitives) <= set(space.primitives)

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_two_processes_agree(self, name, space, tmp_path):
        """Both make the same draws and end with the same alphas and cells, bit for bit."""

        def search(ranks):
            run = (
                RunDirectory.create(tmp_path / "run", {})
                if ranks.is_first
                else SilentRunDirectory(tmp_path / "run")
            )
            share = Share(ranks.rank, ranks.size)
            searcher = searcher_of(name, space, run, ranks=ranks, share=share)
            if not ranks.is_first:
                torch.manual_seed(12345)
            cell = searcher.search().to_json()
            return {"cell": cell, "alphas": searcher.alphas.state_dict()}

        one, two = run_ranks(2, search, tmp_path)
        assert one["cell"] == two["cell"]
        for key, value in one["alphas"].items():
            assert torch.equal(value, two["alphas"][key])


def after_a_step(
    name, space, run, memory_format=torch.contiguous_format, micro_batch=None, by_source=True
):
    """Return weights and alphas after one step of a method, with running statistics.

    The alphas move by their gradient; Adam would make a step of any rounding error.
    """
    searcher = searcher_of(name, space, run, by_source=by_source)
    # In its first epoch pc_darts does not move the alphas, and r_darts drops nothing: its masks
    # are the same in all micro-batches.
    searcher.epoch = 0 if name == "r_darts" else 1
    searcher.alpha_optimizer = torch.optim.SGD(searcher.alphas.parameters(), lr=1.0)
    searcher.compute = searcher.architect.compute = Compute(
        searcher.device, memory_format=memory_format, micro_batch=micro_batch
    )
    net = searcher.net.eval().to(memory_format=memory_format)
    net.train = lambda mode=True: net  # sdarts_adv would go back to the statistics of a batch
    train_batch, val_batch = (
        (images.contiguous(memory_format=memory_format), targets)
        for loader in (searcher.data.train_loader, searcher.data.val_loader)
        for images, targets in [next(iter(loader))]
    )
    searcher._val_batches = iter([val_batch])
    before = {key: value.clone() for key, value in searcher.alphas.named_parameters()}
    searcher.method.step(searcher, train_batch)
    moved = dict(searcher.alphas.named_parameters())
    assert all(not torch.equal(value, before[key]) for key, value in moved.items())
    return moved | dict(searcher.net.named_parameters())


IN_DEFAULT = ("gdas", "pc_darts")
"""Methods of which the default tests compute a step in several ways."""


@pytest.mark.parametrize(
    "how",
    [{"micro_batch": 2}, {"memory_format": torch.channels_last}, {"by_source": False}],
    ids=["micro_batches", "channels_last", "edge_by_edge"],
)
@pytest.mark.parametrize(
    "name",
    [
        name if name in IN_DEFAULT else pytest.param(name, marks=pytest.mark.slow)
        for name in searching_methods()
    ],
)
def test_a_step_is_the_same_however_it_is_computed(name, how, space, tmp_path):
    """In micro-batches, in channels_last memory, and by the definition, edge by edge."""
    expected = after_a_step(name, space, RunDirectory.create(tmp_path / "whole", {}))
    other = after_a_step(name, space, RunDirectory.create(tmp_path / "other", {}), **how)
    for key, value in expected.items():
        torch.testing.assert_close(other[key].contiguous(), value, rtol=1e-8, atol=1e-10)
