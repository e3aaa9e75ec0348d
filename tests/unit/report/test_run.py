"""Run directories of both kinds are read into one record, and broken files are named."""

import json

import pytest

from nas.errors import GenotypeError, NasError, ReportError
from nas.genotype import load_genotype
from nas.report.run import read_run
from nas.report.summary import facts_of, repeat_command


def test_a_training_is_read_whole(make_training_dir):
    """Every file of a finished training is in the record, and nothing is missing."""
    run = read_run(make_training_dir(4))
    assert (run.kind, run.name, run.missing) == ("training", "training", ())
    assert run.config["epochs"] == 4 and run.environment["torch"] == "2.9.0"
    assert run.genotype == load_genotype("DARTS_V2")
    assert [record["epoch"] for record in run.metrics] == [0, 1, 2, 3]
    assert (run.cost.num_parameters, run.cost.madds) == (3331, 1054768)
    assert run.evaluation.confusion[0] == (40, 10, 0)
    assert run.evaluation.per_class_accuracy == (80.0, 86.0, None)
    assert run.space is None


def test_a_search_is_read_whole(make_search_dir):
    """Every file of a finished search is in the record, and nothing is missing."""
    run = read_run(make_search_dir(3))
    assert (run.kind, run.missing) == ("search", ())
    assert run.space.name == "darts"
    assert run.genotype == load_genotype("DARTS_V1")
    assert run.cost is None and run.evaluation is None


def test_facts_of_both_kinds(make_training_dir, make_search_dir):
    """Facts are those of the last epoch, the last measurement and the sum of the times."""
    training, search = (
        facts_of(read_run(make_training_dir(4))),
        facts_of(read_run(make_search_dir())),
    )
    assert (training.model, training.dataset, training.seed) == ("DARTS_V2", "cifar10", "0")
    assert (training.epochs, training.test_top1, training.test_epoch) == ("4 of 4", 83.0, None)
    assert training.val_accuracy == 10 + 60 * 0.75 + 1
    assert (training.num_parameters, training.madds) == (3331, 1054768)
    assert (training.time_s, training.peak_memory_mib) == (402.0, 1003.4)
    assert (search.model, search.epochs, search.test_top1) == ("darts", "3 of 3", None)
    assert search.num_parameters == 3_349_342 + 2000
    assert search.peak_memory_mib is None


def test_test_accuracy_of_a_run_in_progress(make_training_dir):
    """Without evaluation.json it is the last measured one, with the epoch."""
    run_dir = make_training_dir(4, epochs=9)
    (run_dir / "evaluation.json").unlink()
    facts = facts_of(read_run(run_dir))
    assert (facts.epochs, facts.test_top1, facts.test_epoch) == ("4 of 9", 10 + 60 * 0.75 + 2, 3)


def test_cells_of_a_search_in_progress(make_search_dir):
    """Before genotype.json is there, the cells are those of the last epoch."""
    run_dir = make_search_dir(2)
    (run_dir / "genotype.json").unlink()
    path = run_dir / "metrics.jsonl"
    assert read_run(run_dir).genotype is None  # these records have no cells
    records = [json.loads(line) for line in path.read_text().splitlines()]
    cells = {"normal": [[["plugin_op", 0]]], "normal_concat": [2]}
    cells |= {"reduce": [[["skip_connect", 1]]], "reduce_concat": [2]}
    records[-1]["genotype"] = cells
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    genotype = read_run(run_dir).genotype
    assert genotype.normal == ((("plugin_op", 0),),)
    assert genotype.operators["plugin_op"] == {"label": "plugin_op", "family": "other"}
    for broken in ([1], {"normal": []}, cells | {"normal_concat": [9]}):
        records[-1]["genotype"] = broken
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        with pytest.raises(ReportError, match=r"metrics\.jsonl: epoch 1: genotype: "):
            read_run(run_dir)


@pytest.mark.parametrize(
    "name", ["config.yaml", "env.json", "cost.json", "metrics.jsonl", "timing.jsonl"]
)
def test_missing_files_are_said_to_be_missing(make_training_dir, name):
    """A file that is not there is one plain line, and the rest is read."""
    run_dir = make_training_dir()
    (run_dir / name).unlink()
    run = read_run(run_dir)
    assert run.kind == "training"
    (line,) = run.missing
    assert line.startswith(f"{name} is not there yet: ")


def test_metrics_without_a_line_are_said_to_be_missing(make_training_dir):
    """An empty metrics.jsonl is a run that has just begun, not an error."""
    (line,) = read_run(make_training_dir(0)).missing
    assert line.startswith("metrics.jsonl has no finished epoch yet")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.yaml", "- 1\n", "expected a mapping of settings"),
        ("config.yaml", "genotype: [\n", "line 2: not valid YAML"),
        ("env.json", "[]", "expected a JSON object, found list"),
        ("env.json", '{"a": ', "not a JSON object"),
        ("env.json", "[" * 100_000, "not a JSON object"),
        ("cost.json", "{}", "without 'num_parameters'"),
        ("timing.jsonl", '{"epoch": 0}\n', "line 1: without 'time_s'"),
        ("timing.jsonl", '{"epoch": 0, "time_s": "fast"}\n', "time_s: expected a number"),
        ("timing.jsonl", '{"epoch": 0, "time_s": 1, "x": []}\n', "'x': expected a number"),
        ("metrics.jsonl", "nonsense\n", "line 1: not a JSON object"),
        ("genotype.json", "{", "not a whole JSON document"),
        ("evaluation.json", "\udcff", "not UTF-8"),
    ],
)
def test_broken_files_are_named(make_training_dir, name, content, said):
    """A file that is there and broken is an error with its name and what is wrong."""
    run_dir = make_training_dir()
    (run_dir / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises((ReportError, GenotypeError)) as error:
        read_run(run_dir)
    assert name in str(error.value) and said in str(error.value)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("cost.json", {"madds": -1}, "madds: expected a whole number"),
        ("cost.json", {"madds": True}, "madds: expected a whole number"),
        ("cost.json", {"layers": [3]}, "layers[0]: expected an object"),
        ("cost.json", {"layers": [{"name": "a"}]}, "layers[0]: without 'kind'"),
        ("cost.json", {"image_shape": ["3"]}, "image_shape: expected a list"),
        ("evaluation.json", {"top1": "83"}, "top1: expected a number"),
        ("evaluation.json", {"top5": float("nan")}, "top5: expected a number"),
        ("evaluation.json", {"classes": [1, 2, 3]}, "classes: expected a list of names"),
        ("evaluation.json", {"classes": ["a"]}, "per_class_accuracy: expected"),
        ("evaluation.json", {"confusion": [[1, 2], [3, 4]]}, "confusion: expected null or 3 rows"),
        ("evaluation.json", {"confusion": [[1], [2], [3]]}, "confusion: expected null or 3 rows"),
        ("evaluation.json", {"epoch": "last"}, "epoch: expected a whole number"),
    ],
)
def test_wrong_values_are_named(make_training_dir, name, change, said):
    """A value of the wrong kind or length is an error with file and key."""
    path = make_training_dir() / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ReportError) as error:
        read_run(path.parent)
    assert f"{name}: " in str(error.value) and said in str(error.value)


def test_what_is_no_run_is_an_error(tmp_path):
    """A directory without a run, a file and a missing path are errors that say so."""
    with pytest.raises(ReportError, match="neither a search"):
        read_run(tmp_path)
    with pytest.raises(ReportError, match="this directory does not exist"):
        read_run(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(NasError, match="this directory does not exist"):
        read_run(tmp_path / "file")


def test_cost_is_added_up_by_block(make_training_dir):
    """Layers of one cell are one block, with the sum of their costs and the last shape."""
    blocks = {block.name: block for block in read_run(make_training_dir()).cost.by_block()}
    assert list(blocks) == ["stem", "cells.0", "cells.1", "auxiliary_head", "classifier"]
    cell = blocks["cells.0"]
    assert (cell.num_parameters, cell.madds, cell.kind) == (1064, 321536, "2 layers")
    assert cell.output_shape == (16, 16, 16)
    assert blocks["auxiliary_head"].output_shape == ()


def test_the_command_to_repeat_a_run(make_training_dir, make_search_dir):
    """It starts the right program at the commit, from config.yaml, quoted for a shell."""
    assert repeat_command(read_run(make_training_dir())) == (
        "git checkout 0123456789abcdef0123456789abcdef01234567\n"
        "python augment.py --config 'my runs/one/config.yaml' --out 'my runs/one-again'"
    )
    assert "python search.py --config run/config.yaml" in repeat_command(
        read_run(make_search_dir())
    )
