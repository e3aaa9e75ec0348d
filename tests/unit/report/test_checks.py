import json

import pytest

from nas.errors import ReportError
from nas.report.checks import METRICS, check_search_record, check_training_record, read_epochs


def read_metrics(run_dir):
    """Read the metrics of a search."""
    return read_epochs(run_dir / METRICS, check_search_record)


def read_training_metrics(run_dir):
    """Read the metrics of a training run."""
    return read_epochs(run_dir / METRICS, check_training_record)


def _change(run_dir, line: int, change) -> None:
    """Rewrite one line (counted from 1) of metrics.jsonl through its record."""
    path = run_dir / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    record = json.loads(lines[line - 1])
    change(record)
    lines[line - 1] = json.dumps(record) + "\n"
    path.write_text("".join(lines))


def test_records_come_back_as_written(make_run_dir):
    """Each line is one record, in order, with its numbers and its nulls."""
    run_dir = make_run_dir(3, "mixed_edges")
    records = read_metrics(run_dir)
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    assert records == [json.loads(line) for line in lines]
    assert [record["epoch"] for record in records] == [0, 1, 2]
    assert None in records[0]["alphas"]["normal"][0]


@pytest.mark.parametrize("kept", [1, 10, 300, -2])
def test_last_line_cut_short_is_left_out(make_run_dir, kept):
    """A last line that a killed run left half written is left out."""
    run_dir = make_run_dir(3)
    path = run_dir / "metrics.jsonl"
    *lines, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines) + last[:kept])
    assert [record["epoch"] for record in read_metrics(run_dir)] == [0, 1]


def test_last_line_cut_inside_a_character_is_left_out(make_run_dir):
    """Half of a UTF-8 character at the end does not stop the reading."""
    run_dir = make_run_dir(2)
    with (run_dir / "metrics.jsonl").open("ab") as file:
        file.write(b'{"note": "\xc3')
    assert len(read_metrics(run_dir)) == 2


def test_last_line_that_lacks_only_its_newline_counts(make_run_dir):
    """A whole record without its newline is read."""
    run_dir = make_run_dir(2)
    path = run_dir / "metrics.jsonl"
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert len(read_metrics(run_dir)) == 2


@pytest.mark.parametrize(
    "broken", [b"{", b"", b"[1, 2]", b"\xff\xfe", b'{"epoch": 1', b"[" * 100_000]
)
@pytest.mark.parametrize("line", [1, 2, 3])
def test_any_other_broken_line_is_named(make_run_dir, broken, line):
    """A broken line that ends in a newline is an error with the file and the line."""
    run_dir = make_run_dir(3)
    path = run_dir / "metrics.jsonl"
    lines = path.read_bytes().splitlines()
    lines[line - 1] = broken
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(ReportError, match=rf"metrics\.jsonl: line {line}: "):
        read_metrics(run_dir)


@pytest.mark.parametrize("content", [b"", b'{"epoch": 0, "trai'])
def test_metrics_without_an_epoch_are_empty(make_run_dir, content):
    """A file that holds no finished epoch has no records."""
    run_dir = make_run_dir(1)
    (run_dir / "metrics.jsonl").write_bytes(content)
    assert read_metrics(run_dir) == []


def test_missing_file_asks_for_a_run_directory(tmp_path):
    """A folder without metrics.jsonl is an error that asks for a run directory."""
    with pytest.raises(ReportError, match=r"metrics\.jsonl: cannot be read: .*run directory"):
        read_metrics(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: record.pop("val_loss"), "without 'val_loss'"),
        (lambda record: record.pop("alphas"), "without 'alphas'"),
        (lambda record: record.update(epoch="one"), "epoch: expected a whole number"),
        (lambda record: record.update(epoch=True), "epoch: expected a whole number"),
        (lambda record: record.update(epoch=0), "epoch 0 after epoch 0"),
        (lambda record: record.update(train_loss="low"), "train_loss: expected a number"),
        (lambda record: record.update(train_loss=None), "train_loss: expected a number"),
        (lambda record: record.update(madds=float("nan")), "madds: expected a number"),
        (lambda record: record.update(entropy=2.0), "entropy: expected a mapping"),
        (
            lambda record: record["num_skips"].pop("reduce"),
            "num_skips: expected a value for each of",
        ),
        (lambda record: record["alphas"].update(reduce=[1]), "alphas.reduce: expected a list"),
        (lambda record: record["alphas"].update(normal=[["a"]]), "alphas.normal: expected a list"),
        (lambda record: record["entropy"].update(reduce="x"), "entropy.reduce: expected a number"),
        (lambda record: record.update(arch_weights={"normal": [[1]]}), "arch_weights: expected"),
        (
            lambda record: record.update(arch_weights={"normal": [[1]], "reduce": [[1]]}),
            "arch_weights.normal: expected rows as long as those of alphas",
        ),
        (lambda record: record.update(measures=[1]), "measures: expected numbers by name"),
        (lambda record: record.update(edge_weights={"normal": [[1]]}), "edge_weights.normal"),
        (lambda record: record.update(collapse=[1]), "collapse: expected a mapping"),
        (
            lambda record: record.update(collapse={"max_weight": {"normal": None}}),
            "collapse.'max_weight': expected numbers by group",
        ),
        (
            lambda record: record.update(decision={"normal": {"entropy_share": "high"}}),
            "decision.'normal': expected numbers by name",
        ),
        (
            lambda record: record.update(extra_alphas={"beta": [[1], [2, 3]]}),
            "extra_alphas.'beta': expected a list of numbers or equal rows",
        ),
        (lambda record: record.update(measures={"tau": "x"}), "measures.'tau': expected a number"),
    ],
)
def test_record_of_another_form_is_named(make_run_dir, change, said):
    """A record that lacks a key or has a wrong value is an error with its line and key."""
    run_dir = make_run_dir(3)
    _change(run_dir, 2, change)
    with pytest.raises(ReportError) as error:
        read_metrics(run_dir)
    assert "metrics.jsonl: line 2: " in str(error.value)
    assert said in str(error.value)


def test_training_records_come_back_as_written(make_training_dir):
    """Each line is one record; epochs that were not measured on test lack its keys."""
    run_dir = make_training_dir(4)
    records = read_training_metrics(run_dir)
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    assert records == [json.loads(line) for line in lines]
    assert ["test_loss" in record for record in records] == [False, True, False, True]


def test_last_line_of_a_training_cut_short_is_left_out(make_training_dir):
    """A last line that a killed run left half written is left out."""
    path = make_training_dir(3) / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert [record["epoch"] for record in read_training_metrics(path.parent)] == [0, 1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: record.pop("train_loss"), "without 'train_loss'"),
        (lambda record: record.pop("epoch"), "without 'epoch'"),
        (lambda record: record.update(epoch=-1), "epoch: expected a whole number"),
        (lambda record: record.update(epoch=2**70), "epoch: expected a whole number"),
        (lambda record: record.update(epoch=0), "epoch 0 after epoch 0"),
        (lambda record: record.update(drop_path_prob="0.2"), "drop_path_prob: expected a number"),
        (lambda record: record.pop("test_top5_accuracy"), "without 'test_top5_accuracy'"),
        (lambda record: record.update(val_loss=None), "val_loss: expected a number"),
        (lambda record: record.update(test_loss=float("inf")), "test_loss: expected a number"),
    ],
)
def test_training_record_of_another_form_is_named(make_training_dir, change, said):
    """A record that lacks a key or has a wrong value is an error with its line and key."""
    path = make_training_dir(4) / "metrics.jsonl"
    lines = path.read_text().splitlines()
    record = json.loads(lines[1])
    change(record)
    lines[1] = json.dumps(record)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ReportError) as error:
        read_training_metrics(path.parent)
    assert "metrics.jsonl: line 2: " in str(error.value)
    assert said in str(error.value)
