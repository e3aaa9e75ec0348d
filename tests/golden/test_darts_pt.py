"""DARTS-PT against the numbers and choices of the authors' code, in float64."""

from functools import partial

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.config import SearchConfig
from nas.runtime.run_directory import RunDirectory
from nas.search import SearchData
from nas.search.data import NumImages
from nas.search.method import Method, Progress
from nas.search.projection import Choices, ProjectedMethod, Projector
from nas.space import load_space
from nas.supernet import Alphas, Supernet
from tests.golden import fill

GOLDEN = fill.load("methods_regularised.json")["darts_pt"]
SPACES = {"s2": "s2", "s5": "darts_no_none"}


def projector_of(case, path, *, by_loss, by_source=True):
    space = load_space(SPACES[case["space"]])
    net = Supernet(
        space,
        init_channels=case["init_channels"],
        num_cells=case["num_cells"],
        by_source=by_source,
    )
    alphas = fill.fill_alphas(Alphas(space))
    with torch.no_grad():
        for group in alphas.groups:
            alphas[group].mul_(case["alpha_scale"] / 0.1)
    size = case["batch"]
    batches = [fill.batch(size, offset) for offset in (size, 2 * size)]
    data = SearchData(
        train_loader=batches,
        val_loader=batches,
        measure_loader=lambda epoch: batches,
        image_shape=(3, 32, 32),
        num_classes=10,
        num_images=NumImages(2 * size, 2 * size),
    )
    return Projector(
        method=ProjectedMethod(Method(), Progress(0, 1), Choices(space, {})),
        interval=1,
        by_loss=by_loss,
        config=SearchConfig(epochs=1),
        space=space,
        net=fill.fill_weights(net),
        alphas=alphas,
        loss=cross_entropy,
        data=data,
        run=RunDirectory.create(path, {}),
    )


def losses(decision):
    return [value["loss"] for value in decision["without"].values()]


def accuracies(decision):
    return [value["accuracy"] for value in decision["without"].values()]


def check_tables(case, path, edges, by_source=True):
    projector = projector_of(case, path, by_loss=True, by_source=by_source)
    names = projector.space.primitives
    for table in edges:
        projector.by_loss = True
        decision = projector.decide_operator(table["cell"], table["edge"])
        assert losses(decision) == pytest.approx(table["loss_without"], rel=1e-8)
        assert accuracies(decision) == pytest.approx(table["accuracy_without"], abs=1e-8)
        assert decision["operator"] == names[table["chosen_by_loss"]]
    nothing = projector.measure_without("normal", 0, set())
    assert nothing.loss == pytest.approx(case["all_operations"]["loss"], rel=1e-8)
    assert nothing.accuracy == pytest.approx(case["all_operations"]["accuracy"], abs=1e-8)
    return projector


def test_one_edge_at_a_time(tmp_path):
    """Accuracy and loss without each operator, and both choices; both forms of an edge."""
    case = GOLDEN["tables"][0]
    check_tables(case, tmp_path / "edges", case["edges"][:1], by_source=False)
    projector = check_tables(case, tmp_path / "run", case["edges"][2:4])
    projector.by_loss = False
    table = case["edges"][2]
    chosen = projector.decide_operator(table["cell"], table["edge"])["operator"]
    assert chosen == projector.space.primitives[table["chosen_by_accuracy"]]


@pytest.mark.slow
@pytest.mark.parametrize("case", GOLDEN["tables"], ids=lambda case: case["space"])
def test_all_tables(case, tmp_path):
    """Every table of the file, by both criteria."""
    projector = check_tables(case, tmp_path / "run", case["edges"])
    projector.by_loss = False
    for table in case["edges"]:
        chosen = projector.decide_operator(table["cell"], table["edge"])["operator"]
        assert chosen == projector.space.primitives[table["chosen_by_accuracy"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", GOLDEN["sequences"], ids=lambda case: f"{case['space']}-{case['criterion']}"
)
def test_a_sequence(case, tmp_path):
    """All decisions in the order of the file, the cells, and the projected network."""
    projector = projector_of(case, tmp_path / "run", by_loss=case["criterion"] == "loss")
    space, choices = projector.space, projector.choices
    for expected in case["operations"]:
        decision = projector.decide_operator(expected["cell"], expected["edge"])
        assert decision["operator"] == space.primitives[expected["operation"]]
        if "loss_without" in expected:
            assert losses(decision) == pytest.approx(expected["loss_without"], rel=1e-8)
        choices.add(decision)
    for expected in case["nodes"]:
        decision = projector.decide_node(expected["cell"], expected["node"])
        assert decision["kept_edges"] == expected["kept_edges"]
        first_round = expected["accuracy_and_loss_without"][: expected["node"]]
        measured = list(zip(accuracies(decision), losses(decision), strict=True))
        for pair, golden in zip(measured, first_round, strict=True):
            assert pair == pytest.approx(tuple(golden), rel=1e-8)
        choices.add(decision)
    decode = partial(projector.method.decode, projector.alphas, space, projector.progress)
    genotype = decode()
    for group in ("normal", "reduce"):
        entries = [list(entry) for node in getattr(genotype, group) for entry in node]
        assert entries == case["genotype"][group]
    final = projector.measure_without("normal", 0, set())
    assert final.loss == pytest.approx(case["final"]["loss"], rel=1e-8)
    assert final.accuracy == pytest.approx(case["final"]["accuracy"], abs=1e-8)
