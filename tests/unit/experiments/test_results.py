"""The table's figures from hand-made results."""

import dataclasses
import json
import statistics

import pytest

from nas.errors import ReportError
from nas.experiments.experiment import read_experiment
from nas.experiments.plan import plan
from nas.experiments.results import collect
from nas.experiments.table import markdown, write_results
from nas.genotype import load_genotype
from nas.records import Cost, Evaluation


def write_evaluation(path, top1):
    """Write an evaluation.json with a test accuracy."""
    path.write_text(Evaluation(100, 1.0, top1, 99.0, (), None).to_json())


def write_cost(path, num_parameters, madds):
    """Write a cost.json with two totals."""
    path.write_text(Cost((3, 32, 32), num_parameters, num_parameters, madds, ()).to_json())


TOP1 = {"s2": [60.0, 62.0, 67.0], "DARTS_V2": [50.0]}


@pytest.fixture
def experiment_and_runs(tmp_path):
    """One search with three retrains, a baseline with one of three."""
    (tmp_path / "experiment.yaml").write_text(
        "title: T\ncaveat: No evidence.\nsearch_config: c.yaml\nspaces: [s2]\nsearch_seeds: [0]\n"
        "augment_config: c.yaml\ngenotypes: [DARTS_V2]\naugment_seeds: [0, 1, 2]\n"
        "paper: {s2: {error: 2.5, parameters_m: 3.25, source: Paper}}\n"
    )
    (tmp_path / "c.yaml").write_text("epochs: 1\n")
    experiment = read_experiment(tmp_path)
    runs = plan(experiment)
    genotype = load_genotype("DARTS_V2").to_json()
    left = {group: list(values) for group, values in TOP1.items()}
    for run in runs:
        if run.program == "augment" and not left[run.group]:
            continue
        run.path.mkdir(parents=True)
        (run.path / "genotype.json").write_text(genotype)
        lines = '{"epoch": 0, "time_s": 60}\n{"epoch": 1, "time_s": 120}\n'
        (run.path / "timing.jsonl").write_text(lines)
        if run.program == "augment":
            write_evaluation(run.path / "evaluation.json", left[run.group].pop(0))
            write_cost(run.path / "cost.json", 250_000, 9_000_000)
    return experiment, runs


def test_rows(experiment_and_runs):
    """Mean and sample standard deviation; full size from the golden count."""
    ours, baseline = collect(*experiment_and_runs)
    errors = [100 - top1 for top1 in TOP1["s2"]]
    assert ours.errors == tuple(errors)
    assert ours.mean_error == pytest.approx(37) and ours.std_error == statistics.stdev(errors)
    assert (ours.num_cells, ours.num_trainings) == (1, 3)
    assert ours.num_parameters_full_size == (3_349_342,)  # golden, DARTS_V2
    assert ours.search_time_s == (180,) and ours.training_time_s == (180,) * 3
    assert baseline.std_error is None and baseline.num_trainings == 1


def test_the_table(experiment_and_runs):
    """A lone run is called one; the caveat and the paper's figures stand there."""
    experiment, runs = experiment_and_runs
    text = markdown(experiment, runs, collect(experiment, runs))
    assert (
        "| `s2` | 1 | 3 | 37.00 ± 3.61 | - | 0.250 | 9.00 | 3.0 | 3.0 | 3.35 | 2.5 | 3.25 |" in text
    )
    assert "50.00 (one run)" in text and "5 of 7 runs are finished" in text
    assert "No evidence." in text and "Paper: Paper." in text
    paths = write_results(experiment, runs, collect(experiment, runs))
    assert json.loads(paths[0].read_text())["rows"][0]["mean_error"] == pytest.approx(37)


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"top1": "high"}', '{"top1": 101}'])
def test_a_damaged_result_is_named(experiment_and_runs, text):
    experiment, runs = experiment_and_runs
    (runs[1].path / "evaluation.json").write_text(text)
    with pytest.raises(ReportError, match=r"evaluation\.json: "):
        collect(experiment, runs)


def test_random_cells_have_a_row_together(experiment_and_runs, tmp_path):
    """Pooled, and with the spread between cells, which no lone cell shows."""
    experiment, runs = experiment_and_runs
    experiment = dataclasses.replace(experiment, genotypes=("random:0", "random:1"), spaces=())
    groups = {"s2": "random:0", "DARTS_V2": "random:1"}
    runs = [
        dataclasses.replace(run, group=groups[run.group], needs=None, flags=())
        for run in runs
        if run.program == "augment"
    ]
    *_, together = collect(experiment, runs)
    assert together.name == "random cells together" and together.num_cells == 2
    assert together.errors == (40, 38, 33, 50)
    assert together.std_between_cells == pytest.approx(statistics.stdev([37, 50]))


def with_models(tmp_path, experiment, more=""):
    """Add two finished runs of a network by name to a experiment's folder."""
    (tmp_path / "experiment.yaml").write_text(
        f"title: T\n{more}augment_config: c.yaml\nmodels: [mobilenext_0.35]\n"
        "augment_seeds: [0, 1]\n"
    )
    experiment = read_experiment(tmp_path)
    runs = plan(experiment)
    for run, top1 in zip([run for run in runs if not run.has_cells], (55.0, 57.0), strict=True):
        run.path.mkdir(parents=True)
        (run.path / "timing.jsonl").write_text('{"epoch": 0, "time_s": 90}\n')
        write_evaluation(run.path / "evaluation.json", top1)
        write_cost(run.path / "cost.json", 1_900_000, 6_250_000)
    return experiment, runs


def test_networks_by_name_have_a_table_of_their_own(experiment_and_runs, tmp_path):
    """Without the columns that say nothing of them, and without words about cells."""
    experiment, runs = with_models(tmp_path, experiment_and_runs[0])
    text = markdown(experiment, runs, collect(experiment, runs))
    header, _, row = (line for line in text.splitlines() if line.startswith("|"))
    assert header == (
        "| network | runs | test error (%) | parameters (M) | multiply-adds (M) | training (min) |"
    )
    assert row == "| `mobilenext_0.35` | 2 | 44.00 ± 1.41 | 1.900 | 6.25 | 1.5 |"
    assert "cell" not in text and "2 of 2 runs are finished" in text
    document = json.loads(write_results(experiment, runs, collect(experiment, runs))[0].read_text())
    assert document["rows"][0]["mean_error"] == pytest.approx(44)


def test_networks_by_name_beside_cells(experiment_and_runs, tmp_path):
    """They have no size at the cells' full size."""
    more = "genotypes: [DARTS_V2]\n"
    experiment, runs = with_models(tmp_path, experiment_and_runs[0], more)
    text = markdown(experiment, runs, collect(experiment, runs))
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line[:1] == "|"]
    header, _, *rows = lines
    (cells,) = (row for row in rows if "mobilenext" in row[0])
    assert cells[header.index("full size (M)")] == "-"
    assert cells[header.index("parameters (M)")] == "1.900"
