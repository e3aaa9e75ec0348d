"""The paper's tables: printed figures, the network of each row, and a reason where we differ.

How the printed figures were checked: a script compared every header and cell of `printed.py` with
the tables in the text of the paper (arXiv:2007.02269), cell by cell; the text itself may not be
part of this repository. What the tests here check independently: the counts of the networks that
are built round to the printed figures unless a reason is given, and figures that the paper states
twice, in two tables or in a table and a sentence, agree.
"""

import dataclasses
import json
from pathlib import Path

import pytest

from nas.cli.paper import main
from nas.config import AugmentConfig, parse_settings
from nas.detection_record import DetectionEvaluation
from nas.errors import ReportError
from nas.experiments.paper.committed import committed
from nas.experiments.paper.measure import Measured, differs, measure, rounds_to
from nas.experiments.paper.tables import ROWS, TITLES
from nas.experiments.paper.text import markdown
from nas.records import Evaluation
from tests.golden import fill

ROOT = Path(__file__).parents[3]
EXPERIMENTS = ROOT / "experiments"
NOWHERE = Path("nowhere")


def rows_of(table):
    return [row for row in ROWS if row.table == table]


def column(table, header):
    """Return the cells below a header, top to bottom."""
    rows = rows_of(table)
    return [row.cells[row.columns.index(header)] for row in rows]


def test_the_tables_are_whole():
    """Tables 2 to 11 with all their rows, every row with a cell below every header."""
    sizes = {2: 11, 3: 10, 4: 4, 5: 2, 6: 13, 7: 4, 8: 3, 9: 3, 10: 5, 11: 3}
    assert {number: len(rows_of(number)) for number in TITLES} == sizes
    assert all(len(row.cells) == len(row.columns) for row in ROWS)
    assert len({(row.table, row.cells) for row in ROWS}) == len(ROWS)


def test_table_2_is_a_chain():
    """A row takes in what the row above puts out, reduced by its own stride."""
    inputs, outputs = column(2, "Input dimension"), column(2, "Output dimension")
    assert inputs[1:] == outputs[:-1]
    for source, target, stride in zip(inputs, outputs, column(2, "s"), strict=True):
        if stride != "-":
            assert int(source.split(" x ")[0]) // int(stride) == int(target.split(" x ")[0])


def test_figures_that_the_paper_prints_twice_agree():
    """The same network, or the same search, in two tables; differences stated in the text."""
    exact = {"74.02"}
    assert {
        row.cells[3] for row in rows_of(4) if row.cells[:2] == ("MobileNeXt", "FP32/FP32")
    } == exact
    assert column(5, "Top-1 Acc. (%)")[1:] == column(7, "Top-1 Acc. (%)")[:1] == ["74.02"]
    assert column(6, "Top-1 Acc. (%)")[-3] == column(10, "Top-1 Acc. (%)")[-1] == "74.02"
    assert float(column(3, "Top-1 Acc. (%)")[6]) == round(74.02, 1)
    assert column(3, "Top-1 Acc. (%)")[1] == column(6, "Top-1 Acc. (%)")[2] == "72.3"
    for header in ("Test Error (%)", "Param. (M)", "Search Space"):
        assert column(9, header) == column(11, header)
    top1, gain = [float(cell) for cell in column(4, "Top-1 Acc. (%)")], column(4, "Gain")
    assert [f"{top1[i] - top1[i - 1]:+.2f}" for i in (1, 3)] == [gain[1], gain[3]]
    identity = [float(cell) for cell in column(7, "Top-1 Acc. (%)")]
    assert round(identity[0] - identity[3], 2) == 0.34  # Sec. 4.4
    original, _, sandglass = [float(cell) for cell in column(9, "Param. (M)")]
    assert round(1 - sandglass / original, 2) == 0.25  # Sec. 4.6: "about 25% parameter reduction"


def test_figures_are_those_of_the_golden_file():
    """Ours are counted, so they agree with the authors' code."""
    golden = fill.load("mobilenext.json")["models"]
    for width in ("1.4", "1", "0.75", "0.5", "0.35"):
        name = f"mobilenext_{width if '.' in width else width + '.0'}"
        (counts,) = {
            (measured.parameters, measured.madds)
            for measured in (measure(row, NOWHERE) for row in ROWS if row.ours == name)
        }
        expected = golden[f"mobilenext_{width}"]
        assert counts == (expected["parameters"], expected["madds_224x224"])


@pytest.mark.slow
def test_a_row_that_differs_has_a_reason():
    """And one that agrees has none, which would be out of date."""
    for row in ROWS:  # one test, because the networks are counted once per process
        assert differs(row, measure(row, NOWHERE)) == bool(row.reason), row


@pytest.mark.slow
def test_detectors_of_table_8(tmp_path):
    """Both configurations, and the result of a run on VOC 2007; one on other images is refused."""
    _, v2, next_ = rows_of(8)
    assert measure(v2, NOWHERE).shown() == {
        "parameters": "3.426",
        "billions": "0.682",
        "coco": "4.304 M, 0.748 B",
    }
    values = (72.0,) * 20
    evaluation = DetectionEvaluation(
        4952, tuple(map(str, range(20))), (9,) * 20, values, values, values, (None,) * 20
    )
    path = tmp_path / "ssdlite320_mobilenext" / "detection.json"
    path.parent.mkdir()
    path.write_text(evaluation.to_json())
    assert measure(next_, tmp_path).shown() == {
        "parameters": "3.476",
        "billions": "0.709",
        "coco": "4.539 M, 0.844 B",
        "map": "72.00",
    }
    path.write_text(dataclasses.replace(evaluation, num_images=72).to_json())
    with pytest.raises(ReportError, match="72 images in 20 classes"):
        measure(next_, tmp_path)


def test_table_2_is_what_we_build():
    """The stages of the network built as printed; the 960 stage has the corrected three blocks."""
    for row in rows_of(2):
        measured = measure(row, NOWHERE)
        if row.cells[0] in ("10", "11"):
            continue
        assert measured.output == row.printed("output")
        assert str(measured.blocks) == ("3" if row.cells[0] == "8" else row.printed("blocks"))
    stages = [measure(row, NOWHERE) for row in rows_of(2)]
    assert sum(stage.parameters or 0 for stage in stages) == 3_305_720
    assert sum(stage.madds or 0 for stage in stages) == 274_594_944


def test_operators_are_those_of_the_spaces():
    """Table 9 counts them without `none`; the 7, 7, 7 of Table 11 are a misprint."""
    counted = [str(measure(row, NOWHERE).operators) for row in rows_of(9)]
    assert counted == column(9, "#Operators") != column(11, "#Operators")


@pytest.mark.parametrize(
    ("count", "printed", "significant", "expected"),
    [
        (3_449_000, "3.4", None, True),
        (3_451_000, "3.4", None, False),
        (3_934_400, "3.94", None, False),
        (1_968_680, "2.0", None, True),
        (5, None, None, True),
        (None, "3.4", None, True),
        (59_400_000, "59", 2, True),
        (59_600_000, "59", 2, False),
        (304_000_000, "300", 2, True),
        (306_000_000, "300", 2, False),
    ],
)
def test_agreement_is_rounding(count, printed, significant, expected):
    """Parameters to the digits printed; multiply-adds to two significant digits."""
    assert rounds_to(count, printed, significant) == expected


def test_either_figure_can_differ():
    row = next(row for row in ROWS if row.ours == "mobilenet_v2_0.35")
    assert not differs(row, Measured(1_677_128, 59_286_000))
    assert differs(row, Measured(1_777_128, 59_286_000))
    assert differs(row, Measured(1_677_128, 62_286_000))


def test_every_network_has_its_experiment():
    """One file a network, with its name and settings, on ImageNet; none without a row."""
    networks = {row.experiment: row for row in ROWS if row.has_network and row.table != 2}
    rows = EXPERIMENTS / "imagenet" / "rows"
    assert {path.stem for path in rows.glob("*.yaml")} == set(networks)
    for row in networks.values():
        config = parse_settings(AugmentConfig, "p", "", [f"--config={rows / row.experiment}.yaml"])
        assert (config.model, config.identity_ratio) == (
            row.model,
            row.settings.get("identity_ratio"),
        )
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
        return next(row for row in ROWS if row.ours == "mobilenext_1.0")

    return write


def test_a_result_is_shown(result, tmp_path, capsys):
    """In each of its rows, and in no other."""
    assert measure(result(), tmp_path).top1 == 71.25
    assert main([f"--results={tmp_path}", "--table=10"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "71.25" in line]
    assert len(lines) == 1 and lines[0].startswith("| Figure 4(d) |")


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
    assert main(["--table=1"]) == 2
    assert "--table: expected one of 2, 3, " in capsys.readouterr().err


def test_committed_results_are_shown():
    """The means in experiments/ are those of the files that were committed with them."""
    rows = {(row.table, row.cells[:2]): row for row in ROWS}
    int8 = committed(rows[4, ("MobileNeXt", "INT8/INT8")], EXPERIMENTS)
    fp32 = committed(rows[4, ("MobileNeXt", "FP32/FP32")], EXPERIMENTS)
    table = (EXPERIMENTS / "deploy" / "quantization.md").read_text()
    line = next(line for line in table.splitlines() if "per_tensor | int8 | entropy" in line)
    assert int8["small"].removesuffix(" (n = 3)") == line.split(" | ")[3]
    assert fp32 == committed(rows[3, ("10", "MobileNeXt-0.35")], EXPERIMENTS)  # the same three runs
    latency = (EXPERIMENTS / "deploy" / "latency.md").read_text().splitlines()
    line = next(line for line in latency if line.startswith("| `mobilenext_1.0` | onnx_fp32 | 1 "))
    assert committed(rows[7, ("1", "MobileNeXt")], EXPERIMENTS)["latency"] in line


def test_searches_are_shown_once_they_are_there(tmp_path):
    """Mean and sample standard deviation over all trainings of all cells, and how many."""
    row = rows_of(9)[2]
    assert committed(row, tmp_path) == {}
    names = {"cifar10": "darts+sandglass", "cifar10_small": "darts in darts+sandglass"}
    for folder, name in names.items():
        (tmp_path / folder).mkdir()
        document = {
            "rows": [
                {
                    "name": name,
                    "errors_by_cell": [[3.0, 3.2], [3.4]],
                    "num_parameters_full_size": [2_400_000, 2_600_000],
                }
            ]
        }
        (tmp_path / folder / "results.json").write_text(json.dumps(document))
    expected = "3.20 ± 0.20 (n = 3)"
    assert committed(row, tmp_path) == {"error": expected, "parameters": "2.50", "small": expected}
    assert committed(rows_of(9)[0], tmp_path) == {}
    assert f"| 2.98 | {expected} | 2.45 | 2.50 |" in markdown([row], NOWHERE, tmp_path)


def test_a_damaged_result_is_one_error(tmp_path):
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / "results.json").write_text('{"rows": [{"errors": 3}]}')
    with pytest.raises(ReportError, match=r"Table 9 lacks .*name"):
        committed(rows_of(9)[0], tmp_path)


def test_all_tables_are_printed():
    """Every figure of the paper is on the page, and networks of others have no figure of ours."""
    text = markdown(ROWS, NOWHERE, NOWHERE)
    assert [f"## Table {n}. " in text for n in range(2, 12)] == [True] * 10
    for row in ROWS:
        cells = [cell for cell in row.cells if cell]
        assert any(all(cell in line for cell in cells) for line in text.splitlines()), row
    assert "| EfficientNet-b0 | 5.3 |  | 390 |  | 76.3 |" in text
