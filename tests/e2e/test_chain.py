"""A network of a chain, from a budget to a trained network, its report and its export."""

import json
import signal

import pytest

import nas
from nas.api import train
from nas.cli.augment import main as augment
from nas.cli.main import main
from nas.data.shapes.dataset import NUM_IMAGES
from nas.deploy.source import read_source
from nas.genotype import Chain, load_chain
from nas.genotype.frontier import read_frontier
from nas.models import build_network
from nas.models.chain_latency import read_chain_latency
from nas.report.comparison import write_comparison
from nas.runtime.complexity import count_parameters
from nas.search.one_shot import OneShot
from nas.space import load_space
from tests.e2e.test_resume import stop_at_check

DATA = ["--dataset=shapes", "--image_size=16", "--max_images=32", "--batch_size=16", "--epochs=1"]
SPACE = """family: chain
image_size: 16
stem: {width: 8, stride: 2}
candidates: [{block: sandglass, ratio: [2, 4], kernel: [3, 5]}]
depths: [1, 2]
stages: [{width: 16, stride: 2}, {width: 32, stride: 2}]
"""


@pytest.fixture(autouse=True)
def few_test_images(monkeypatch):
    """100 test images instead of 2,000: the same code, in a test's time."""
    monkeypatch.setitem(NUM_IMAGES, "test", 100)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished training of a random network at a budget, in a chain of a user."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "mine.yaml").write_text(SPACE)
    network = ["--network=random:0", f"--space={folder / 'mine.yaml'}", "--target=madds=70e3"]
    with pytest.MonkeyPatch.context() as context:
        context.setitem(NUM_IMAGES, "test", 100)
        assert augment([*DATA, *network, f"--out={folder / 'run'}"]) == 0
    return folder / "run"


def test_the_budget_is_met_for_the_network_that_is_trained(run):
    """Within 3 % at this image size and with these classes, as cost.json counts it."""
    cost = json.loads((run / "cost.json").read_text())
    chain = load_chain(run)
    assert abs(cost["madds"] / 70e3 - 1) <= 0.03
    classes = len(json.loads((run / "evaluation.json").read_text())["classes"])
    assert chain.count("madds", 16, classes) == cost["madds"]
    budget = {"budgets": {"madds": 70e3}, "num_classes": classes, "image_size": 16}
    assert chain.search == {"method": "random", "seed": 0, **budget}
    assert chain.num_classes == classes
    assert chain.space == load_space(run.parent / "mine.yaml")


def test_the_report_shows_the_network(run):
    """A picture of the chain and a row for each block."""
    page = (run / "report.html").read_text()
    assert '<section id="network">' in page and "sandglass_t" in page
    for name in ("chain.png", "chain.svg"):
        assert (run / name).stat().st_size > 1000
    assert not (run / "genotype.json").exists()


@pytest.mark.slow
def test_it_is_measured_resumed_and_trained_again(run, tmp_path, capsys):
    """From the run alone, and from network.json; another network is refused."""
    assert main(["evaluate", str(run), f"--out={tmp_path / 'again'}"]) == 0
    first, second = (
        json.loads((path / "evaluation.json").read_text()) for path in (run, tmp_path / "again")
    )
    assert first["confusion"] == second["confusion"]
    network = f"--network={run / 'network.json'}"
    assert augment([*DATA, network, f"--out={tmp_path / 'new'}"]) == 0
    assert load_chain(tmp_path / "new") == load_chain(run)
    other = Chain.uniform(load_chain(run).space, "sandglass_t4_k5", (2, 1))
    (tmp_path / "network.json").write_text(other.to_json())
    capsys.readouterr()
    assert main(["evaluate", str(run), f"--network={tmp_path / 'network.json'}"]) == 2
    assert "is of another architecture: its network is not" in capsys.readouterr().err


def test_a_random_network_is_resumed_without_its_space(run, capsys):
    """It is in the run. Another seed is refused, and so is a space that was changed."""
    space = run.parent / "mine.yaml"
    text = space.read_text()
    space.unlink()
    try:
        assert augment([f"--out={run}", "--resume=true"]) == 0
    finally:
        space.write_text(text)
    for words, changed, message in (
        (["--network=random:1"], text, "has network 'random:0', found 'random:1'"),
        ([], text.replace("ratio: [", "ratio: [8, "), "no longer"),
    ):
        capsys.readouterr()
        space.write_text(changed)
        try:
            assert augment([f"--out={run}", "--resume=true", *words]) == 2
        finally:
            space.write_text(text)
        assert message in capsys.readouterr().err


def test_it_is_loaded_drawn_and_deployed(run, tmp_path, capsys):
    """By `nas.load`, `build_network`, `nas draw` and what export and benchmark read."""
    trained = nas.load(run)
    network = build_network(str(run / "network.json"), num_classes=len(trained.class_names))
    assert count_parameters(network) == count_parameters(trained.net)
    assert main(["draw", str(run / "network.json"), f"--out={tmp_path}", "--formats=svg"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "chain.svg")
    for text in (str(run), f"{run / 'network.json'},num_classes=5"):
        source = read_source(text)
        assert source.metadata.image_size == 16
        assert Chain.from_json(source.metadata.model["network"]) == load_chain(run)


def test_from_python(run, tmp_path):
    """`nas.api.train` takes a chain, with its origin, or the path of its file."""
    settings = {"dataset": "shapes", "image_size": 16, "max_images": 32, "batch_size": 16}
    chain = load_chain(run)
    result = train(chain, out=tmp_path / "run", epochs=1, **settings)
    assert result.chain == chain and result.genotype is None
    assert load_chain(tmp_path / "run").search["method"] == "random"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--network=random:x"], "--network: found random:x, expected random:SEED"),
        (["--network=nothing.json"], "there is no file of this name; give a network.json"),
        (["--network=random:0", "--model=mobilenext_1.0"], "both name the network to train"),
        (["--network=random:0", "--num_cells=3"], "--num_cells has an effect only on the network"),
        (["--network=random:0", "--space=darts"], "darts is a space of cells, but a chain"),
        (["--network=n.json", "--target=madds=1e6"], "--target has an effect only with --network"),
        (
            ["--network=random:0", "--target=latency_ms=3"],
            "latency_ms needs a table of this machine",
        ),
        (["--latency_table=t.json"], "--latency_table has an effect only with --network"),
        (
            ["--network=random:0", "--target=madds=3,weight=2"],
            "meets it without any weight or warm-up",
        ),
        (["--network=random:0", "--target=madds=1"], "have 1227552 to"),
        (["--genotype=random:0", "--space=mobilenext_chain"], "is a chain of blocks, but a space"),
    ],
)
def test_what_is_refused(words, message, tmp_path, capsys):
    """One line with what is allowed, before anything is trained."""
    assert augment([*DATA, *words, f"--out={tmp_path / 'run'}"]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("error:") == 1
    assert not (tmp_path / "run").exists()


SEARCH = ["search", "--dataset=shapes", "--image_size=16", "--max_images=32", "--batch_size=8"]


def searched(folder, name, *words):
    """Search the chain of a user; return the exit code and the run directory."""
    (folder / "mine.yaml").write_text(SPACE)
    out = folder / name
    return main([*SEARCH, f"--space={folder / 'mine.yaml'}", f"--out={out}", *words]), out


def test_a_search_ends_with_a_network(run, tmp_path):
    """One path a step; network.json has its origin, the reports show it, alone and compared."""
    code, out = searched(tmp_path, "run", "--method=gdas", "--epochs=1", "--width_mult=0.5")
    assert code == 0
    chain = load_chain(out)
    assert chain.width_mult == 0.5 and chain.search["method"]["name"] == "gdas"
    assert chain.search["alphas"].keys() == {"layers", "depths"}
    (record,) = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    assert record["network"] == [list(names) for names in chain.stages]
    assert not (out / "genotype.json").exists()
    page = (out / "report.html").read_text()
    assert '<section id="network">' in page and '<section id="alphas">' in page
    for name in ("chain.png", "curves.png", "alphas.png"):
        assert (out / name).stat().st_size > 1000
    page = write_comparison([out, run], tmp_path / "compared.html").read_text()
    assert "those of its network, at the size of the images" in page


@pytest.mark.slow
@pytest.mark.parametrize("method", ["darts", "gdas"])
def test_a_search_that_is_stopped_and_resumed(method, tmp_path, monkeypatch):
    """Metrics and network.json are the same bytes; the network is trained."""
    words = (f"--method={method}", "--epochs=2")
    assert searched(tmp_path, "whole", *words)[0] == 0
    with monkeypatch.context() as context:
        stop_at_check(context, 3)
        code, out = searched(tmp_path, "parts", *words)
    assert code == 128 + signal.SIGTERM and not (out / "network.json").exists()
    assert searched(tmp_path, "parts", *words, "--resume=true")[0] == 0
    for name in ("metrics.jsonl", "network.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert augment([*DATA, f"--network={out}", f"--out={tmp_path / 'trained'}"]) == 0
    assert load_chain(tmp_path / "trained").search == load_chain(out).search


CHOICE = (
    "--method=uniform",
    "--epochs=2",
    "--selection=evolution,population=3,generations=2,statistics_batches=1",
    "--target=madds=70e3",
)


def test_a_network_is_chosen_by_test(tmp_path):
    """Within the target; network.json and the report have its accuracy in the supernet."""
    code, out = searched(tmp_path, "run", *CHOICE)
    assert code == 0
    chain = load_chain(out)
    chosen = chain.search["selection"]
    assert abs(chain.count("madds", 16, 10) / 70e3 - 1) <= 0.03
    assert chosen["name"] == "evolution" and chosen["num_tested"] == 6 and chosen["seed"] == 0
    assert f"{chosen['accuracy']:.2f} %" in (out / "report.html").read_text()


@pytest.mark.slow
def test_a_choice_that_is_stopped_and_resumed(tmp_path, monkeypatch, capsys):
    """The same bytes; epochs cannot be added any more, and a try changes nothing."""
    assert searched(tmp_path, "whole", *CHOICE)[0] == 0
    with monkeypatch.context() as context:
        stop_at_test(context, 4)
        code, out = searched(tmp_path, "parts", *CHOICE)
    assert code == 128 + signal.SIGTERM and not (out / "network.json").exists()
    assert main([*SEARCH, "--resume=true", f"--out={out}", "--epochs=3"]) == 2
    assert "the selection of this run has begun" in capsys.readouterr().err
    assert main([*SEARCH, "--resume=true", f"--out={out}"]) == 0
    for name in ("metrics.jsonl", "network.json", "selection/tested.jsonl"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_choice_that_a_finished_search_gets_is_stopped(tmp_path, monkeypatch):
    """Until the choice is made no file says that it is; what the alphas said stays beside it."""
    code, out = searched(tmp_path, "run", "--method=gdas", "--epochs=1")
    assert code == 0
    before = (out / "network.json").read_bytes()
    words = [*SEARCH, "--resume=true", f"--out={out}", CHOICE[2]]
    with monkeypatch.context() as context:
        stop_at_test(context, 2)
        assert main(words) == 128 + signal.SIGTERM
    assert not (out / "network.json").exists()
    assert (out / "network_of_alphas.json").read_bytes() == before
    assert main(words) == 0
    assert load_chain(out).search["selection"]["name"] == "evolution"
    assert (out / "network_of_alphas.json").read_bytes() == before


@pytest.mark.slow
def test_a_frontier(tmp_path, capsys):
    """A folder with a report for each target, and one page for all; resuming changes nothing."""
    words = [word for word in CHOICE if not word.startswith("--target")]
    code, out = searched(tmp_path, "run", *words, "--targets=madds=62e3,70e3")
    said = capsys.readouterr().out
    assert code == 0 and said.strip().endswith(str(out / "report.html"))
    frontier = read_frontier(out / "frontier.json")
    for point in frontier.networks:
        assert load_chain(out / point.name).search["target"] == point.name.replace("_", "=")
        assert (out / point.name / "report.html").exists()
        assert f"{point.name}: {point.madds:,} multiply-adds, {point.accuracy:.2f} %" in said
    assert '<section id="frontier">' in (out / "report.html").read_text()
    before = (out / "frontier.json").read_bytes()
    assert main([*SEARCH, "--resume=true", f"--out={out}"]) == 0
    assert (out / "frontier.json").read_bytes() == before
    assert augment([*DATA, f"--network={out}", f"--out={tmp_path / 'trained'}"]) == 2
    assert "has several networks" in capsys.readouterr().err


def stop_at_test(monkeypatch, number):
    """Let a SIGTERM arrive before the n-th network is tested."""
    original, calls = OneShot.accuracy, []

    def accuracy(self, weights):
        calls.append(weights)
        if len(calls) == number:
            signal.raise_signal(signal.SIGTERM)
        return original(self, weights)

    monkeypatch.setattr(OneShot, "accuracy", accuracy)


def test_a_search_of_images_that_are_too_small(tmp_path, capsys):
    """Before the run directory is made."""
    words = ["--dataset=shapes", "--image_size=16", "--max_images=32", "--batch_size=8"]
    out = tmp_path / "run"
    assert main(["search", "--space=mobilenext_chain_64", *words, f"--out={out}"]) == 2
    said = capsys.readouterr().err
    assert "--image_size: images of 16 x 16 are too small: networks of space" in said
    assert not out.exists()


@pytest.mark.slow
def test_a_latency_is_measured_and_aimed_at(tmp_path, capsys):
    """From `nas latency` to a search and a random network; a table of other sizes is refused."""
    (tmp_path / "mine.yaml").write_text(SPACE)
    space, table = f"--space={tmp_path / 'mine.yaml'}", tmp_path / "latency.json"
    words = ["latency", str(table), space, "--num_classes=10", "--engine=eager", "--calls=50"]
    assert main(words) == 0
    assert "Error of the sum over 10 random networks: median" in capsys.readouterr().out
    assert not (tmp_path / "latency.json.partial").exists()
    costs = read_chain_latency(table).costs(load_space(tmp_path / "mine.yaml"), 16, 10)
    value = sum(costs.bounds()) / 2
    target = [f"--target=latency_ms={value}", f"--latency_table={table}"]
    code, out = searched(tmp_path, "run", "--method=gdas", "--epochs=2", *target)
    assert code == 0
    record = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    assert record["measures"]["latency_ms/decoded"] == costs.of(record["network"])
    network = ["--network=random:0", space, *target]
    assert augment([*DATA, *network, f"--out={tmp_path / 'random'}"]) == 0
    assert abs(costs.of(load_chain(tmp_path / "random").stages) / value - 1) <= 0.03
    capsys.readouterr()
    other = [*DATA, *network, "--width_mult=0.5", f"--out={tmp_path / 'other'}"]
    assert augment(other) == 2
    assert "--latency_table: measured with width 1," in capsys.readouterr().err
