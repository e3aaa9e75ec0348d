"""Stopping rules decide from the records alone."""

import pytest

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.search.stops import EigenvalueGrows, SkipCount, Stop
from nas.space import load_space


def records(*counts):
    return [{"epoch": e, "num_skips": {"normal": n, "reduce": 0}} for e, n in enumerate(counts)]


def test_skip_count_keeps_the_cell_that_met_the_rule():
    assert SkipCount()(records(0, 1, 1)) is None
    assert SkipCount()(records()) is None
    stop = SkipCount()(records(0, 1, 2, 4))
    assert stop == Stop(2, "the normal cell has 2 skip connections after epoch 2 (limit 2)")


def test_skip_count_can_keep_the_cell_before():
    assert SkipCount(keep_before=True)(records(0, 1, 2)).epoch == 1
    assert SkipCount(keep_before=True)(records(3)).epoch == 0  # there is none before


def test_bad_settings():
    with pytest.raises(ConfigError, match="limit: expected 1 or more, found 0"):
        SkipCount(limit=0)
    with pytest.raises(ConfigError, match="group: expected one of normal, reduce, found norml"):
        SkipCount(group="norml").check(SearchConfig(), load_space("s2"))


def test_the_eigenvalue_rule_goes_on_after_a_longer_resume():
    """The measurement of the old last epoch is between two others, and is left out."""
    epochs = [*range(0, 20, 2), 19, *range(20, 60, 2)]
    records = [
        {"epoch": epoch, "measures": {"eigenvalue": 0.1 if epoch < 40 else 1.0}} for epoch in epochs
    ]
    whole = [record for record in records if record["epoch"] % 2 == 0]
    rule = EigenvalueGrows()
    assert rule(records) == rule(whole)
    assert rule(records) is not None and rule(records).epoch >= rule.first
    assert rule(records[:20]) is None
