"""Records come back from their files as they were written; damaged files are named."""

import json

import pytest

from nas.errors import ReportError
from nas.records import Cost, Evaluation, LayerCost, read_cost, read_evaluation, read_object

COST = Cost(
    image_shape=(3, 8, 8),
    num_parameters=10,
    num_parameters_with_auxiliary=16,
    madds=640,
    layers=(
        LayerCost("stem.0", "Conv2d", (2, 8, 8), 4, 256),
        LayerCost("stem.1", "Conv2d", (2, 4, 4), 1, 300),
        LayerCost("cells.0.conv", "Conv2d", (2, 4, 4), 2, 50),
        LayerCost("cells.1.conv", "Conv2d", (2, 2, 2), 3, 34),
        LayerCost("auxiliary_head.1", "Linear", (), 6, 0),
    ),
)
EVALUATION = Evaluation(
    num_images=7,
    loss=0.25,
    top1=75.0,
    top5=100.0,
    per_class_accuracy=(50.0, None),
    confusion=((3, 3), (0, 1)),
    epoch=4,
    classes=("a", "b"),
)


def test_records_come_back(tmp_path):
    """What is written is what is read, with tuples where there were tuples."""
    (tmp_path / "cost.json").write_text(COST.to_json())
    (tmp_path / "evaluation.json").write_text(EVALUATION.to_json())
    assert read_cost(tmp_path / "cost.json") == COST
    assert read_evaluation(tmp_path / "evaluation.json") == EVALUATION


def test_the_keys_of_evaluation_json():
    """The file keeps the keys, and their order, that it always had."""
    keys = ["split", "epoch", "num_images", "loss", "top1", "top5", "per_class_accuracy"]
    assert list(json.loads(EVALUATION.to_json())) == [*keys, "confusion", "classes"]


def test_layers_are_summed_by_block():
    """A child of the network is a block; of a list of children, each entry is one."""
    blocks = COST.by_block()
    assert [block.name for block in blocks] == ["stem", "cells.0", "cells.1", "auxiliary_head"]
    assert blocks[0] == LayerCost("stem", "2 layers", (2, 4, 4), 5, 556)
    assert blocks[3] == LayerCost("auxiliary_head", "Linear", (), 6, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"top1": 101}, "top1: expected 0 to 100, found 101"),
        ({"top1": True}, "top1: expected a number, found True"),
        ({"loss": float("nan")}, "loss: expected a number"),
        ({"epoch": 1.5}, "epoch: expected a whole number"),
        ({"checkpoint": 3}, "checkpoint: expected text"),
        ({"confusion": [[1, 2], [3]]}, "confusion: expected null or 2 rows of 2"),
        ({"classes": ["a"]}, "per_class_accuracy: expected a number or null for each of the 1"),
    ],
)
def test_a_wrong_value_is_named(change, said):
    """The message has the name of the document, the key, and what was found."""
    text = json.dumps(json.loads(EVALUATION.to_json()) | change)
    with pytest.raises(ReportError, match=r"^e\.json: ") as error:
        Evaluation.from_json(text, "e.json")
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000])
def test_what_is_not_an_object_is_named(tmp_path, text):
    """Neither a cut file nor another value of JSON is taken for an object."""
    path = tmp_path / "env.json"
    path.write_text(text)
    with pytest.raises(ReportError, match=r"env\.json: "):
        read_object(path)
