import json

import pytest

from nas.errors import ReportError
from nas.report.retrain_metrics import read_retrain_metrics


def test_records_come_back_as_written(make_retrain_dir):
    """Each line is one record; epochs that were not measured on test lack its keys."""
    run_dir = make_retrain_dir(4)
    records = read_retrain_metrics(run_dir)
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    assert records == [json.loads(line) for line in lines]
    assert ["test_loss" in record for record in records] == [False, True, False, True]


def test_last_line_cut_short_is_left_out(make_retrain_dir):
    """A last line that a killed run left half written is left out."""
    path = make_retrain_dir(3) / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert [record["epoch"] for record in read_retrain_metrics(path.parent)] == [0, 1]


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
def test_record_of_another_form_is_named(make_retrain_dir, change, said):
    """A record that lacks a key or has a wrong value is an error with its line and key."""
    path = make_retrain_dir(4) / "metrics.jsonl"
    lines = path.read_text().splitlines()
    record = json.loads(lines[1])
    change(record)
    lines[1] = json.dumps(record)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ReportError) as error:
        read_retrain_metrics(path.parent)
    assert "metrics.jsonl: line 2: " in str(error.value)
    assert said in str(error.value)


def test_missing_or_empty_file_is_an_error(make_retrain_dir, tmp_path):
    """Without the file, or without a line in it, the error names the file."""
    with pytest.raises(ReportError, match=r"metrics\.jsonl: cannot be read"):
        read_retrain_metrics(tmp_path)
    run_dir = make_retrain_dir(0)
    with pytest.raises(ReportError, match="no finished epoch"):
        read_retrain_metrics(run_dir)
