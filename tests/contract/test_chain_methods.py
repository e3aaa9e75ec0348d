"""What every search method must do with a chain: search it, or refuse it with the reason."""

import json

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.config import SearchConfig
from nas.distributed.launch import WHOLE, Share
from nas.distributed.ranks import ALONE
from nas.errors import ConfigError
from nas.runtime.compute import Compute
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.search import Searcher, list_methods
from nas.search.kind import kind_of
from nas.search.method import Progress
from nas.space.blocks import Candidate
from nas.space.chain import ChainSpace, Stage, Stem
from nas.supernet import Alphas
from tests.contract.test_methods import BATCH, method_of, search_data
from tests.distributed.ranks import replace_norms, run_ranks

BLOCKS = (Candidate("sandglass", 2, 3), Candidate("sandglass", 2, 5))
# Rows of different lengths: the second stage has one block in its first layer, and other depths.
SPACE = ChainSpace(
    "tiny", Stem(4), (), (Stage(8, 1, (1, 2), BLOCKS), Stage(8, 1, (1,), BLOCKS)), ()
)
SEARCH_CHAINS = ("beta_darts", "darts", "gdas", "sdarts_adv", "sdarts_rs", "snas", "uniform")
IN_DEFAULT = ("darts", "gdas", "uniform")
SETTINGS = {"uniform": {"selection": "evolution"}}
"""What a method needs to be a search."""


def searcher_of(name, run, *, ranks=ALONE, share=WHOLE, sync=False):
    method = method_of(name)
    of_alphas = {"alpha_learning_rate": 0.1} if method.moves_alphas else {}
    settings = {"epochs": 2, "batch_size": BATCH, "learning_rate": 0.1, **of_alphas}
    config = SearchConfig(method=name, **settings, **SETTINGS.get(name, {}))
    method.check(config, SPACE)
    data = search_data(share)
    torch.manual_seed(0)
    net = kind_of(SPACE).build_network(config, data, method).double()
    return Searcher(
        config=config,
        space=SPACE,
        net=replace_norms(net, ranks) if sync else net,
        alphas=Alphas(SPACE, 0.1).double(),
        loss=cross_entropy,
        data=data,
        run=run,
        method=method,
        ranks=ranks,
    )


@pytest.mark.parametrize("name", list_methods())
def test_a_method_searches_chains_or_says_why_not(name):
    """Those that change the edges of cells, or decode cells, are refused by name of the space."""
    config = SearchConfig(method=name, epochs=50, **SETTINGS.get(name, {}))
    if name in (*SEARCH_CHAINS, "random"):  # which draws one
        method_of(name).check(config, SPACE)
        return
    with pytest.raises(ConfigError, match=r"a chain, which has none|is of the family chain, but"):
        method_of(name).check(config, SPACE)


@pytest.mark.parametrize(
    "name",
    [
        name if name in IN_DEFAULT else pytest.param(name, marks=pytest.mark.slow)
        for name in SEARCH_CHAINS
    ],
)
def test_it_searches_and_resumes_bit_for_bit(name, tmp_path):
    """Two epochs; weights and network are recorded; a run in two parts writes the same bytes."""
    whole = searcher_of(name, RunDirectory.create(tmp_path / "whole", {}))
    alphas, weights = (
        {key: value.clone() for key, value in part.named_parameters()}
        for part in (whole.alphas, whole.net)
    )
    chain = whole.search()
    for key, value in whole.alphas.named_parameters():
        assert torch.equal(value, alphas[key]) != whole.method.moves_alphas, key
    assert any(not torch.equal(value, weights[k]) for k, value in whole.net.named_parameters())
    lines = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    record = json.loads(lines[-1])
    assert record["network"] == [list(names) for names in chain.stages]
    assert record["madds"] == chain.count("madds", 9, 3)
    assert set(record["entropy"]) == {"layers", "depths"} and "num_skips" not in record
    decoded = whole.method.decode(whole.alphas, SPACE, Progress(1, 2))
    assert decoded == chain and len(lines) == 2

    parts = RunDirectory.create(tmp_path / "parts", {})
    first = searcher_of(name, parts)
    first.is_finished = lambda: first.epoch >= 1
    first.run_epochs()
    second = searcher_of(name, parts)
    torch.manual_seed(99)
    second.resume()
    assert second.epoch == 1
    assert second.search() == chain
    metrics = [(tmp_path / run / "metrics.jsonl").read_bytes() for run in ("whole", "parts")]
    assert metrics[0] == metrics[1]


def after_a_step(name, run, micro_batch):
    """Return alphas and weights after one step, with running statistics, without Adam."""
    searcher = searcher_of(name, run)
    searcher.alpha_optimizer = torch.optim.SGD(searcher.alphas.parameters(), lr=1.0)
    searcher.compute = searcher.architect.compute = Compute(
        searcher.device, micro_batch=micro_batch
    )
    searcher.net.eval()
    searcher._val_batches = iter(searcher.data.val_loader)
    searcher.method.step(searcher, next(iter(searcher.data.train_loader)))
    return dict(searcher.alphas.named_parameters()) | dict(searcher.net.named_parameters())


@pytest.mark.parametrize("name", ["darts", "gdas", "snas", "uniform"])
def test_micro_batches_change_no_step(name, tmp_path):
    whole = after_a_step(name, RunDirectory.create(tmp_path / "whole", {}), None)
    parts = after_a_step(name, RunDirectory.create(tmp_path / "parts", {}), 2)
    for key, value in whole.items():
        torch.testing.assert_close(parts[key], value, rtol=1e-8, atol=1e-10)


def search_on(ranks, name, path, *, sync):
    """Search with a share of every batch; return the network, and alphas and weights by name."""
    run = RunDirectory.create(path, {}) if ranks.is_first else SilentRunDirectory(path)
    share = Share(ranks.rank, ranks.size)
    searcher = searcher_of(name, run, ranks=ranks, share=share, sync=sync)
    network = searcher.search().to_json()
    state = searcher.state_dict()
    return {"network": network, "alphas": state["alphas"], "net": state["net"]}


@pytest.mark.parametrize("name", ["darts", pytest.param("gdas", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_processes_agree(name, tmp_path):
    """Both make the same draws and end with the same alphas and network, bit for bit."""
    one, two = run_ranks(
        2, lambda ranks: search_on(ranks, name, tmp_path / "run", sync=False), tmp_path
    )
    assert one["network"] == two["network"]
    for key, value in one["alphas"].items():
        assert torch.equal(value, two["alphas"][key])


@pytest.mark.parametrize("name", ["gdas", pytest.param("darts", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_processes_equal_one(name, tmp_path):
    """With a BatchNorm over the whole batch: the same network, weights and alphas to 1e-9."""
    alone = search_on(ALONE, name, tmp_path / "one", sync=False)
    both = run_ranks(2, lambda ranks: search_on(ranks, name, tmp_path / "two", sync=True), tmp_path)
    for found in both:
        assert found["network"] == alone["network"]
        for part in ("alphas", "net"):
            for key, value in alone[part].items():
                torch.testing.assert_close(
                    found[part][key].double(), value.double(), rtol=0, atol=1e-9
                )
