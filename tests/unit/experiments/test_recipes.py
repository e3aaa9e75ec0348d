"""A search that cannot start is an error before any run starts."""

import pytest

from nas.errors import ConfigError
from nas.experiments.run import plan_experiment

TEXT = """title: t
search_config: search.yaml
spaces: [darts]
methods: [darts, {method}]
search_seeds: [0, 1]
"""


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("gdass", "darts-gdass-seed0: method: unknown method 'gdass'; did you mean 'gdas'"),
        ('"gdas,tau_mix=3"', "gdas: unknown setting 'tau_mix'"),
        ('"pc_darts,channel_fraction=5"', "multiple of channel_fraction 5"),
        ("darts+darts_pq", "darts\\+darts_pq-seed0: selection: unknown selection 'darts_pq'"),
        ("gdas+darts_pt", "selection: darts_pt: does not work with gdas"),
    ],
)
def test_a_method_that_cannot_start(tmp_path, method, message):
    (tmp_path / "search.yaml").write_text("dataset: shapes\n")
    (tmp_path / "experiment.yaml").write_text(TEXT.format(method=method))
    with pytest.raises(ConfigError, match=message):
        plan_experiment(tmp_path)


def test_methods_that_can_start(tmp_path):
    (tmp_path / "search.yaml").write_text("dataset: shapes\n")
    (tmp_path / "experiment.yaml").write_text(TEXT.format(method="gdas"))
    assert [run.group for run in plan_experiment(tmp_path)] == ["darts in darts"] * 2 + [
        "gdas in darts"
    ] * 2
