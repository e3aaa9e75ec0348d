"""report.html: what it shows of a run, and that nothing in it comes from elsewhere."""

import base64
import dataclasses
import json

import pytest

from nas.errors import ReportError
from nas.report import html
from nas.report.html import frequent_mistakes, write_report
from nas.report.run import read_run
from tests.unit.report.pages import Page

SECTIONS = ["cells", "operators", "curves", "alphas", "classes", "cost"]
ALWAYS = ["configuration", "environment", "repeat"]


def test_report_of_a_training(make_training_dir):
    """Every part is there, with the numbers of the files, and curves.png beside it."""
    run_dir = make_training_dir(4)
    before = {path.name: path.read_bytes() for path in run_dir.iterdir()}
    path = write_report(run_dir)
    assert path == run_dir / "report.html"
    after = {path.name: path.read_bytes() for path in run_dir.iterdir()}
    assert after.keys() - before.keys() == {"report.html", "curves.png"}
    assert before.items() <= after.items()
    page = Page(path)
    page.check_is_self_contained()
    assert page.headings == [name for name in SECTIONS if name != "alphas"] + ALWAYS
    assert [name for name, _ in page.tags].count("svg") == 2
    assert [name for name, _ in page.tags].count("img") == 3
    pictures = [attributes["src"] for name, attributes in page.tags if name == "img"]
    assert base64.b64decode(pictures[1].partition(",")[2]) == after["curves.png"]
    for shown in ("83.00 %", "98.76 %", "3,331", "8,331", "1,054,768", "4 of 4", "30.5 %", "ant"):
        assert shown in page.texts, shown
    assert "6\N{NO-BREAK SPACE}min\N{NO-BREAK SPACE}42\N{NO-BREAK SPACE}s" in page.source
    assert "augment.py --genotype DARTS_V2 --out 'my runs/one'" in page.text
    assert "The code had changes that were not committed." in page.text
    assert "is not there yet" not in page.text


def test_report_of_a_search(make_search_dir):
    """A search has the evolution of its alphas, and no test accuracy."""
    run_dir = make_search_dir(3)
    page = Page(write_report(run_dir))
    page.check_is_self_contained()
    assert page.headings == [name for name in SECTIONS if name != "classes"] + ALWAYS
    assert (run_dir / "curves.png").is_file() and (run_dir / "alphas.png").is_file()
    for shown in ("3,351,342", "3 of 3", "sep_conv_5x5", "of the supernet"):
        assert shown in page.texts, shown
    assert "test accuracy" not in page.text


def test_chance_is_that_of_the_cells_that_are_kept(make_search_dir):
    """A stopping rule keeps earlier cells; a selection chooses cells by other means."""
    run_dir = make_search_dir(3)
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    for record in lines:
        share = 0.5 + record["epoch"] / 10
        record["decision"] = {"normal": {"entropy_share": share, "operator_margin": 3.0}}
    (run_dir / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = read_run(run_dir)
    none = "\N{EN DASH}"
    assert html.decision_rows(run) == [("normal", ["70.00 %", "3.0", none])]
    stopped = dataclasses.replace(run.genotype, search={"stopped": {"epoch": 1, "reason": "x"}})
    early = dataclasses.replace(run, genotype=stopped)
    assert html.decision_rows(early) == [("normal", ["60.00 %", "3.0", none])]
    selected = dataclasses.replace(run, config={**run.config, "selection": "darts_pt"})
    assert html.decision_rows(selected) == []


def test_report_is_the_same_every_time(make_training_dir):
    """Two reports of one run agree on every byte: no dates, no random names."""
    run_dir = make_training_dir(2)
    first = write_report(run_dir).read_bytes()
    assert write_report(run_dir).read_bytes() == first


@pytest.mark.parametrize(
    ("name", "sections"),
    [
        ("evaluation.json", {"classes"}),
        ("cost.json", {"cost"}),
        ("metrics.jsonl", {"curves"}),
        ("env.json", {"environment"}),
        ("config.yaml", {"configuration"}),
    ],
)
@pytest.mark.usefixtures("blank_pictures")
def test_what_is_missing_is_left_out_and_said(make_training_dir, name, sections):
    """Without a file its section is gone, a line says so, and the rest is there."""
    run_dir = make_training_dir(2)
    (run_dir / name).unlink()
    page = Page(write_report(run_dir))
    page.check_is_self_contained()
    whole = [name for name in SECTIONS if name != "alphas"] + ALWAYS
    assert page.headings == [heading for heading in whole if heading not in sections]
    assert f"{name} is not there yet: " in page.text


@pytest.mark.usefixtures("blank_pictures")
def test_a_run_without_genotype_and_a_search_just_begun(make_training_dir, make_search_dir):
    """A model has no cells to show; a search without an epoch shows its settings alone."""
    run_dir = make_training_dir(2, model="mobilenext")
    (run_dir / "genotype.json").unlink()
    page = Page(write_report(run_dir))
    assert "cells" not in page.headings and "is not there yet" not in page.text
    begun = make_search_dir(0)
    for name in ("metrics.jsonl", "timing.jsonl", "genotype.json"):
        (begun / name).unlink()
    page = Page(write_report(begun))
    assert page.headings == ALWAYS
    assert page.text.count("is not there yet") == 3
    assert not (begun / "curves.png").exists()


EVIL = "<script>alert('x')</script>"


def test_text_of_files_is_escaped(make_training_dir, tmp_path):
    """Markup in class names, settings, the environment, layers and the folder is only text."""
    run_dir = make_training_dir(2, name="<img src=x onerror=alert(1)>", dataset=EVIL)
    evaluation = json.loads((run_dir / "evaluation.json").read_text())
    evaluation |= {"classes": [EVIL, '"><b onclick="x">', "{{ 7 * 7 }}"], "split": EVIL}
    (run_dir / "evaluation.json").write_text(json.dumps(evaluation))
    environment = {"command": [EVIL, "\ud800"], "commit": EVIL, EVIL: {EVIL: [EVIL]}}
    (run_dir / "env.json").write_text(json.dumps(environment))
    cost = json.loads((run_dir / "cost.json").read_text())
    cost["layers"][0] |= {"name": EVIL, "kind": "--x: url(https://example.org)"}
    cost["layers"][0]["kind"] = EVIL
    (run_dir / "cost.json").write_text(json.dumps(cost))
    page = Page(write_report(run_dir))
    page.check_is_self_contained()
    assert EVIL in page.texts and '"><b onclick="x">' in page.texts and "{{ 7 * 7 }}" in page.texts
    assert "<script" not in page.source


@pytest.mark.usefixtures("blank_pictures")
def test_labels_of_a_genotype_are_escaped(make_training_dir):
    """Labels of operators in genotype.json are text in the inline drawing too."""
    run_dir = make_training_dir(1)
    document = json.loads((run_dir / "genotype.json").read_text())
    names = {name for cell in ("normal", "reduce") for node in document[cell] for name, _ in node}
    document["operators"] = {name: {"label": EVIL, "family": EVIL} for name in names}
    document["space"] = {"name": f"</svg>{EVIL}"}
    (run_dir / "genotype.json").write_text(json.dumps(document))
    page = Page(write_report(run_dir))
    page.check_is_self_contained()
    assert [name for name, _ in page.tags].count("svg") == 2


@pytest.mark.usefixtures("blank_pictures")
def test_without_an_engine_all_but_the_cells_is_shown(make_training_dir, monkeypatch):
    """Where no graphviz engine is installed the report says so, and is written all the same."""

    def fail(*_):
        raise ReportError("no graphviz engine found")

    monkeypatch.setattr(html, "cell_svg", fail)
    page = Page(write_report(make_training_dir(1)))
    assert "the cells are not drawn: no graphviz engine found." in page.texts
    assert "curves" in page.headings and "operators" in page.headings


@pytest.mark.usefixtures("blank_pictures")
def test_broken_files_leave_the_old_report(make_training_dir):
    """A broken file is an error, and a report that was there stays as it was."""
    run_dir = make_training_dir(1)
    old = write_report(run_dir).read_bytes()
    (run_dir / "metrics.jsonl").write_text("{\n")
    with pytest.raises(ReportError, match=r"metrics\.jsonl: line 1"):
        write_report(run_dir)
    assert (run_dir / "report.html").read_bytes() == old


def test_frequent_mistakes():
    """The largest entries off the diagonal come first; what never happened is left out."""
    found = frequent_mistakes(((5, 1, 0), (7, 2, 0), (0, 3, 9)), ("a", "b", "c"))
    assert found == [("b", "a", 7), ("c", "b", 3), ("a", "b", 1)]


@pytest.mark.parametrize(("num_classes", "has_matrix"), [(60, True), (120, False)])
@pytest.mark.usefixtures("blank_pictures")
def test_many_classes_are_numbered_and_folded(make_training_dir, num_classes, has_matrix):
    """Over 50 classes the table has the numbers of the matrix; over 100 it stands alone."""
    run_dir = make_training_dir(1)
    evaluation = json.loads((run_dir / "evaluation.json").read_text())
    evaluation["classes"] = [f"class {number}" for number in range(num_classes)]
    evaluation["per_class_accuracy"] = [number / 2 for number in range(num_classes)]
    matrix = [[1] * num_classes for _ in range(num_classes)]
    evaluation["confusion"] = matrix if has_matrix else None
    (run_dir / "evaluation.json").write_text(json.dumps(evaluation))
    page = Page(write_report(run_dir))
    place = page.texts.index("class 59", page.texts.index("Accuracy of each class"))
    assert page.texts[place - 1 : place + 2] == ["59", "class 59", "29.50 %"]
    assert {"open"} & {key for name, a in page.tags if name == "details" for key in a} == set()
    assert (
        "No confusion matrix: it is only kept for up to 100 classes." in page.texts
    ) != has_matrix
