"""A search on two ranks with half of every batch each, against one process with all of it."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.config import SearchConfig
from nas.data import DatasetInfo, TensorLoader, TrainTransform
from nas.distributed.launch import Share
from nas.distributed.ranks import ALONE
from nas.operators import resolve
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.search import SearchData, Searcher
from nas.search.data import NumImages
from nas.space import load_space
from nas.supernet import Alphas
from tests.distributed.ranks import replace_norms, run_ranks

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
SIZE, BATCH = 8, 8


@pytest.fixture(autouse=True)
def no_statistics(monkeypatch):
    """What only describes an epoch takes longer than the epoch."""
    monkeypatch.setattr("nas.search.searcher.epoch_record", lambda **_: {})
    monkeypatch.setattr(Searcher, "describe", lambda *_: "")


def search_data(share, num_images):
    generator = torch.Generator().manual_seed(3)
    info = DatasetInfo("random", ("a", "b", "c"), SIZE, (0.5,) * 3, (0.25,) * 3)
    transform = TrainTransform(info, dtype=torch.float64)

    def loader(shuffle, seed):
        images = torch.randint(256, (num_images, 3, SIZE, SIZE), generator=generator)
        labels = torch.randint(3, (num_images,), generator=generator)
        return TensorLoader(
            *(images.to(torch.uint8), labels, BATCH),
            **{"transform": transform, "shuffle": shuffle, "seed": seed, "share": share},
        )

    measured = loader(False, 9)
    return SearchData(
        *(loader(True, 1), loader(True, 2), lambda epoch: measured, (3, SIZE, SIZE), 3),
        num_images=NumImages(num_images, num_images),
    )


def search(ranks, path, order, steps, sync, name="tests/e2e/tiny.yaml"):
    """Search in float64; returns weights and buffers, alphas, both optimisers' tensors, cell."""
    space = load_space(name)
    resolve(space, ())
    torch.manual_seed(0)
    num_cells = space.kind.min_cells
    net = space.kind.load("supernet")(space, 3, 3, init_channels=2, num_cells=num_cells).double()
    alphas = Alphas(space, 0.1).double()
    config = SearchConfig(order=order, epochs=1, batch_size=BATCH, learning_rate=0.1, num_cells=3)
    run = RunDirectory.create(path, {}) if ranks.is_first else SilentRunDirectory(path)
    searcher = Searcher(
        config=config,
        space=space,
        net=replace_norms(net, ranks) if sync else net,
        alphas=alphas,
        loss=cross_entropy,
        data=search_data(Share(ranks.rank, ranks.size), steps * BATCH),
        run=run,
        ranks=ranks,
    )
    genotype = searcher.search()
    state = searcher.state_dict()
    return {"net": state["net"], "alphas": state["alphas"], "cell": genotype.to_text()}


def assert_close(a, b, tolerance):
    for part in ("net", "alphas"):
        for key, value in a[part].items():
            difference = (value.double() - b[part][key].double()).abs().max()
            assert difference <= tolerance, (part, key, difference)


ORDERS = ("first_order", "second_order", "second_order_exact")


@pytest.mark.parametrize(
    ("order", "steps"),
    [
        ("second_order", 2),
        *(pytest.param(order, 20, marks=pytest.mark.slow) for order in ORDERS),
    ],
)
def test_two_ranks_equal_one_process(tmp_path, order, steps):
    """To 1e-9 in float64, with a BatchNorm over the whole batch; the same cell."""
    one = search(ALONE, tmp_path / "one", order, steps, sync=False)  # with nn.BatchNorm2d
    two = run_ranks(
        2, lambda ranks: search(ranks, tmp_path / "two", order, steps, sync=True), tmp_path
    )
    for found in two:
        assert found["cell"] == one["cell"]
        assert_close(one, found, 1e-9)
    for name in ("one", "two"):
        assert len((tmp_path / name / "metrics.jsonl").read_text().splitlines()) == 1


def test_two_ranks_equal_one_process_in_nasbench201(tmp_path):
    """The same in the space with one kind of cell."""
    args = ("first_order", 2)
    one = search(ALONE, tmp_path / "one", *args, False, "nasbench201")
    two = run_ranks(
        2, lambda ranks: search(ranks, tmp_path / "two", *args, True, "nasbench201"), tmp_path
    )
    for other in two:
        assert other["cell"] == one["cell"]
        assert_close(one, other, 1e-9)


def test_ranks_agree_bit_for_bit_with_plain_batchnorm(tmp_path):
    """Each rank normalises by its own share, yet weights, alphas and cells are the same."""
    found = run_ranks(
        2, lambda ranks: search(ranks, tmp_path / "run", "first_order", 3, sync=False), tmp_path
    )
    for other in found[1:]:
        assert other["cell"] == found[0]["cell"]
        weights = {k: v for k, v in other["net"].items() if "running" not in k}
        assert_close(other | {"net": weights}, found[0], 0)
