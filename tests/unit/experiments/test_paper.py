"""The paper's tables: every row has a network, an experiment, and a reason where we differ."""

import json
from pathlib import Path

import pytest

from nas.config import AugmentConfig, parse_settings
from nas.errors import ReportError
from nas.experiments.paper.__main__ import main
from nas.experiments.paper.measure import Measured, differs, measure, rounds_to
from nas.experiments.paper.tables import ROWS, TITLES
from nas.records import Evaluation
from tests.golden import fill

EXPERIMENTS = Path("experiments/imagenet/rows")
NOWHERE = Path("nowhere")


def test_the_tables_are_whole():
    """Ten, two, three, four and four rows, and no row twice."""
    numbers = [row.table for row in ROWS]
    assert {number: numbers.count(number) for number in TITLES} == {3: 10, 5: 2, 6: 3, 7: 4, 10: 4}
    assert len({(row.table, row.name) for row in ROWS}) == len(ROWS)


def test_figures_are_those_of_the_golden_file():
    """Ours are counted, so they agree with the authors' code."""
    golden = fill.load("mobilenext.json")["models"]
    for width in ("1.4", "1", "0.75", "0.5", "0.35"):
        name = f"mobilenext_{width if '.' in width else width + '.0'}"
        (found,) = {measure(row, NOWHERE) for row in ROWS if row.experiment == name}
        assert found.parameters == golden[f"mobilenext_{width}"]["parameters"]
        assert found.madds == golden[f"mobilenext_{width}"]["madds_224x224"]


def test_a_row_that_differs_has_a_reason():
    """And one that agrees has none, which would be out of date."""
    for row in ROWS:  # one test, because the networks are counted once a process
        assert differs(row, measure(row, NOWHERE)) == bool(row.reason), row.name


@pytest.mark.parametrize(
    ("value", "printed", "decimals", "expected"),
    [(3.449, 3.4, 1, True), (3.451, 3.4, 1, False), (3.9344, 3.94, 2, False), (5, None, 0, True)],
)
def test_agreement_is_rounding(value, printed, decimals, expected):
    assert rounds_to(value, printed, decimals) == expected


def test_madds_have_two_digits():
    """59 is exact to the million, 300 to ten millions."""
    row = next(row for row in ROWS if row.name == "MobileNetV2-0.35")
    assert not differs(row, Measured(1_677_128, 59_400_000, None))
    assert differs(row, Measured(1_677_128, 59_600_000, None))
    row = next(row for row in ROWS if row.name == "MobileNetV2-1.00")
    assert not differs(row, Measured(3_504_872, 304_000_000, None))
    assert differs(row, Measured(3_504_872, 306_000_000, None))


def test_every_row_has_its_experiment():
    """One file a network, with the row's model and ratio, on ImageNet; none without a row."""
    assert {path.stem for path in EXPERIMENTS.glob("*.yaml")} == {row.experiment for row in ROWS}
    for row in {row.experiment: row for row in ROWS}.values():
        path = EXPERIMENTS / f"{row.experiment}.yaml"
        config = parse_settings(AugmentConfig, "p", "", [f"--config={path}"])
        assert (config.model, config.identity_ratio) == (row.model, row.identity_ratio)
        assert (config.dataset, config.image_size) == ("imagenet", 224)
        assert config.out == f"runs/imagenet/{row.experiment}"
        assert config.optimizer == ("rmsprop" if "_se_" in row.model else "sgd")


@pytest.fixture
def result(tmp_path):
    """Write a result of MobileNeXt-1.0 and return its row."""

    def write(**changes):
        classes = changes.get("classes", [str(i) for i in range(1000)])
        accuracies = (71.25,) * len(classes)
        evaluation = Evaluation(50_000, 1.0, 71.25, 90.0, accuracies, None, classes=tuple(classes))
        document = json.loads(evaluation.to_json())
        folder = tmp_path / "mobilenext_1.0"
        folder.mkdir(exist_ok=True)
        (folder / "evaluation.json").write_text(json.dumps(document | changes))
        return next(row for row in ROWS if row.experiment == "mobilenext_1.0")

    return write


def test_a_result_is_shown(result, tmp_path, capsys):
    """In each of its rows, and in no other."""
    assert measure(result(), tmp_path).top1 == 71.25
    assert main([f"--results={tmp_path}", "--table=10"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "71.25" in line]
    assert len(lines) == 1 and lines[0].startswith("| Fig. 4 (d)")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_images": 1000}, "1000 images in 1000 classes"),
        ({"classes": ["a", "b"]}, "50000 images in 2 classes"),
        ({"top1": None}, "top1: expected a number, found None"),
    ],
)
def test_a_result_of_something_else_is_refused(result, tmp_path, capsys, changes, message):
    """The sample of a thousand images is no row of a table."""
    row = result(**changes)
    with pytest.raises(ReportError, match=message):
        measure(row, tmp_path)
    assert main([f"--results={tmp_path}"]) == 2
    stderr = capsys.readouterr().err.strip()
    assert "evaluation.json" in stderr and "\n" not in stderr


def test_an_unknown_table(capsys):
    assert main(["--table=4"]) == 2
    assert "invalid choice" in capsys.readouterr().err
