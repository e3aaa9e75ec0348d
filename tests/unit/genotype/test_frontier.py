"""frontier.json is read back, and a damaged one is refused."""

import pytest

from nas.errors import ChainError
from nas.genotype.frontier import Frontier, Point, read_frontier

FRONTIER = Frontier(
    "madds",
    {"space": "tiny", "method": "uniform", "epochs": 3},
    (Point("madds_6", 5.0, 5, 70, 61.5, 6.0), Point("madds_9", 9.0, 9, 80, 64.0, 9.0)),
    (Point("MobileNeXt 0.5", 8.0, 8, 75, 60.0), Point("MobileNetV2 0.5", 7.0, 7, 60, None)),
)


def test_what_was_written_is_read(tmp_path):
    (tmp_path / "frontier.json").write_text(FRONTIER.to_json())
    assert read_frontier(tmp_path / "frontier.json") == FRONTIER


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"networks"', '"x"', "not a frontier: KeyError"),
        ('"accuracy"', '"top1"', "not a frontier: TypeError"),
        ('"version": 1', '"version": 2', "version 2; this release reads version 1"),
        ("}\n", "", "not a whole JSON document"),
    ],
)
def test_a_damaged_file_is_refused(old, new, message, tmp_path):
    (tmp_path / "frontier.json").write_text(FRONTIER.to_json().replace(old, new))
    with pytest.raises(ChainError, match=message):
        read_frontier(tmp_path / "frontier.json")
