"""The report of a detector's run."""

import json

import pytest
import yaml

from nas.detection_record import DetectionEvaluation, read_detection
from nas.errors import ReportError
from nas.report.comparison import write_comparison
from nas.report.figures.comparison_curves import comparison_figure
from nas.report.figures.detection_curves import detection_figure, precision_recall_figure
from nas.report.html import write_report
from nas.report.run import read_run
from tests.unit.report.pages import Page

EVALUATION = DetectionEvaluation(
    num_images=3,
    classes=("a <b>", "c"),
    num_objects=(4, 0),
    ap_11=(62.5, None),
    ap_area=(60.0, None),
    ap_coco=(33.25, None),
    curves=(tuple(1 - i / 100 for i in range(101)), None),
    iteration=20,
)
RECORDS = [
    {
        "epoch": epoch,
        "iteration": 10 * (epoch + 1),
        "learning_rate": 0.1,
        "train_loss": 3.0 - epoch,
        "train_class_loss": 2.0 - epoch,
        "train_box_loss": 1.0,
        "test_map_11": 31.25 * (epoch + 1),
        "test_map_area": 30.0 * (epoch + 1),
        "test_map_coco": 10.0,
    }
    for epoch in range(2)
]


@pytest.fixture
def run(tmp_path):
    config = {"model": "ssdlite320_mobilenext", "train_split": "trainval", "iterations": 40}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in RECORDS))
    (tmp_path / "detection.json").write_text(EVALUATION.to_json())
    return tmp_path


def test_the_report(run):
    """Means without classes that have no objects, iterations, and text that is escaped."""
    assert read_detection(run / "detection.json") == EVALUATION
    assert read_run(run).kind == "detection"
    page = write_report(run).read_text()
    for words in ("62.50 %", "33.25 %", "20 of 40", "no objects", "a &lt;b&gt;", "detect train"):
        assert words in page
    assert "a <b>" not in page and (run / "precision_recall.png").is_file()
    assert "the best test images" not in page


def test_a_run_in_progress(run):
    """It says what is not there yet."""
    (run / "detection.json").unlink()
    assert "detection.json is not there yet" in write_report(run).read_text()


def test_damaged_files(run):
    """One line that names the file; a detector is not compared with classifiers."""
    other = run / "other"
    other.mkdir()
    (other / "config.yaml").write_text("model: mobilenext_1.0")
    with pytest.raises(ReportError, match="a run of a detector, and the others are not all"):
        write_comparison([run, other], run / "x.html")
    document = json.loads(EVALUATION.to_json())
    (run / "detection.json").write_text(json.dumps(document | {"ap_11": [1]}))
    with pytest.raises(ReportError, match=r"detection\.json: expected lists of the same length"):
        read_run(run)
    for name, values, words in (
        ("num_objects", [4, "x"], "num_objects: expected a whole number"),
        ("curves", [[1], None], "curves: expected 101 numbers"),
        ("curves", [5, None], "curves: expected 101 numbers"),
        ("curves", [["x"] * 101, None], "curves: expected 101 numbers"),
    ):
        (run / "detection.json").write_text(json.dumps(document | {name: values}))
        with pytest.raises(ReportError, match=rf"detection\.json: {words}"):
            read_run(run)
    (run / "metrics.jsonl").write_text('{"epoch": 0, "iteration": 1}\n')
    with pytest.raises(ReportError, match="without 'learning_rate'"):
        read_run(run)


def test_detectors_are_compared(run, tmp_path_factory):
    """A column for each mean and class; a run in progress has those of its last measurement."""
    other = tmp_path_factory.mktemp("other")
    for name in ("config.yaml", "metrics.jsonl"):
        (other / name).write_text((run / name).read_text().replace("mobilenext", "mobilenet_v2"))
    page = Page(write_comparison([run, other], run / "x.html"))
    page.check_is_self_contained()
    assert page.headings == ["results", "curves", "settings"]
    start = page.texts.index("run")
    heads = ["run", "model", "seed", "iterations", "mAP, 11 points", "mAP, area", "mAP, COCO"]
    heads += ["a <b>", "c", "parameters", "multiply-adds", "time"]
    assert page.texts[start : start + 12] == heads
    dash = "\N{EN DASH}"
    first, second = (page.texts[start + 12 * i : start + 12 * (i + 1)][1:] for i in (1, 2))
    assert first == [
        *("ssdlite320_mobilenext", dash, "20 of 40", "62.50 %", "60.00 %", "33.25 %"),
        *("62.50 %", dash, dash, dash, dash),
    ]
    assert second == [
        *("ssdlite320_mobilenet_v2", dash, "20 of 40", "62.50 %", "60.00 %", "10.00 %"),
        *(dash, dash, dash, dash, dash),
    ]
    assert "its last measurement" in page.text
    figure = comparison_figure([read_run(run), read_run(other)], ["a", "b"])
    panels = {axes.get_title(): axes for axes in figure.axes}
    line, same = panels["test mAP, 11 points"].lines
    assert list(line.get_xdata()) == [10, 20] and list(same.get_ydata()) == [31.25, 62.5]
    assert panels["train loss"].get_xlabel() == "iteration"


def test_figures():
    """A line for each loss, each mAP, and each class with objects."""
    loss, means, rate = detection_figure(RECORDS, "name").axes
    assert [len(axes.lines) for axes in (loss, means, rate)] == [3, 3, 1]
    assert list(means.lines[0].get_ydata()) == [31.25, 62.5]
    (axes,) = precision_recall_figure(EVALUATION).axes
    (line,) = axes.lines
    assert list(line.get_xdata())[::100] == [0, 1] and line.get_ydata()[0] == 1
    assert len([tick for tick in axes.get_xticks() if 0 <= tick <= 1]) > 2
