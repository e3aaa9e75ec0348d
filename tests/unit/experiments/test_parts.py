"""What is left of an experiment is cut into parts of equal time, by what was measured."""

import json

import pytest

from nas.experiments.experiment import read_experiment
from nas.experiments.parts import cut, describe, rests
from nas.experiments.plan import plan


@pytest.fixture
def runs(tmp_path):
    """Two searches of ten epochs and a training of six after each; nothing is done."""
    (tmp_path / "search.yaml").write_text("epochs: 10\ndataset: shapes\n")
    (tmp_path / "augment.yaml").write_text("epochs: 6\ndataset: shapes\n")
    (tmp_path / "experiment.yaml").write_text(
        "search_config: search.yaml\nspaces: [s2]\nsearch_seeds: [0, 1]\n"
        "augment_config: augment.yaml\naugment_seeds: [0]\n"
    )
    return plan(read_experiment(tmp_path))


def write_epochs(run, seconds, result=None):
    """Write a run with some measured epochs, and perhaps a result."""
    run.path.mkdir(parents=True)
    (run.path / "config.yaml").write_text("")
    lines = [json.dumps({"epoch": e, "time_s": s}) + "\n" for e, s in enumerate(seconds)]
    (run.path / "timing.jsonl").write_text("".join(lines))
    if result:
        (run.path / result).write_text("{}")


def test_nothing_measured_has_no_time(runs):
    """Epochs are counted, and no time is made up."""
    assert [(rest.done, rest.epochs, rest.left_s) for rest in rests(runs)] == [
        (0, 10, None),
        (0, 10, None),
        (0, 6, None),
        (0, 6, None),
    ]
    assert cut(rests(runs), 60) == []
    text = describe(runs)
    assert "0 of 4 runs are finished." in text and "Expected" not in text
    assert "Without an expected time: 4 runs, 32 epochs." in text


def test_times_are_of_the_run_then_of_those_like_it(runs):
    """The second search takes the time of the first; trainings have none of their own yet."""
    first, second, *_ = runs
    write_epochs(first, [8.0, 12.0, 10.0])
    assert [rest.left_s for rest in rests(runs)] == [70.0, 100.0, None, None]
    write_epochs(second, [30.0])
    assert [rest.left_s for rest in rests(runs)] == [70.0, 270.0, None, None]


def test_parts_are_full_and_cover_everything_once(runs):
    """With a closed form: 70 s and 100 s in parts of 60 s are three parts, cut at 60 and 120."""
    first, second, *_ = runs
    write_epochs(first, [10.0, 10.0, 10.0])
    pieces = [
        [(piece.run.name, piece.first, piece.last) for piece in part]
        for part in cut(rests(runs), 60)
    ]
    assert pieces == [
        [(first.name, 3, 8)],
        [(first.name, 9, 9), (second.name, 0, 4)],
        [(second.name, 5, 9)],
    ]
    assert "Expected: 0.0 h, one run after another; parts of 1 min: 3." in describe(runs, 1)


def test_an_epoch_may_be_longer_than_a_part(runs):
    """A run continues inside of an epoch, so such an epoch is in several parts."""
    first, second, *_ = runs
    write_epochs(first, [90.0] * 9)
    write_epochs(second, [90.0] * 10, "genotype.json")
    parts = cut(rests(runs), 60)
    assert [[(piece.first, piece.last) for piece in part] for part in parts] == [[(9, 9)], [(9, 9)]]
    assert "1 of 4 runs are finished." in describe(runs)


def test_finished_runs_leave_nothing(runs):
    for run in runs:
        result = "genotype.json" if run.program == "search" else "evaluation.json"
        write_epochs(run, [1.0], result)
    assert rests(runs) == [] and describe(runs).splitlines()[-1] == "4 of 4 runs are finished."
