"""Stopping rules decide from the records alone."""

import pytest

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.operators import resolve
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


@pytest.mark.parametrize(
    ("space", "settings", "most"),
    [
        ("darts", {}, 8),
        ("darts", {"method": "snas"}, 14),
        ("nasbench201", {}, 6),
        ("max_pool_3x3+sep_conv_3x3", {}, 0),
    ],
)
def test_a_limit_that_no_cell_reaches_is_refused(space, settings, most):
    """The limit is the number of skip connections that the method can decode."""
    config, space = SearchConfig(**settings), load_space(space)
    resolve(space)
    if most:
        SkipCount(limit=most).check(config, space)
    with pytest.raises(ConfigError, match=f"at most {most} skip connections, so it would never"):
        SkipCount(limit=most + 1).check(config, space)


@pytest.mark.parametrize(
    ("settings", "every"), [({}, 2), ({"first": 3, "window": 3, "delta": 2}, 2), ({"first": 0}, 5)]
)
def test_the_eigenvalue_rule_is_refused_where_it_cannot_act(settings, every):
    """The first epoch that is allowed is the first in which growth without end stops a search."""
    rule, space = EigenvalueGrows(**settings), load_space("darts")
    records = []
    while rule(records) is None:
        epoch = every * len(records)
        records.append({"epoch": epoch, "measures": {"eigenvalue": 10.0**epoch}})
    rule.check(SearchConfig(epochs=epoch + 1, monitor_eigenvalue=every), space)
    with pytest.raises(ConfigError, match=rf"it can act from epoch {epoch} \(from 0\) on"):
        rule.check(SearchConfig(epochs=epoch, monitor_eigenvalue=every), space)


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
