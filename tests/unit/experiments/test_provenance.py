"""A table says which code, when and on which machine its runs were made."""

import json

import pytest

from nas.errors import ReportError
from nas.experiments.experiment import read_experiment
from nas.experiments.plan import plan
from nas.experiments.provenance import provenance

ENVIRONMENT = {
    "commit": "0123456789abcdef-dirty",
    "commit_date": "2026-01-02T03:00:00+01:00",
    "started": "2026-01-05T00:00:00+00:00",
    "cpu": "A CPU",
    "num_cpus": 2,
    "num_threads": 1,
    "torch": "2.14",
    "device": "cpu",
}


@pytest.fixture
def runs(tmp_path):
    """Three searches, two of them finished, without an environment."""
    (tmp_path / "c.yaml").write_text("epochs: 1\n")
    (tmp_path / "experiment.yaml").write_text(
        "search_config: c.yaml\nspaces: [s2]\nsearch_seeds: [0, 1, 2]\n"
    )
    runs = plan(read_experiment(tmp_path))
    for run in runs[:2]:
        run.path.mkdir(parents=True)
        (run.path / "genotype.json").write_text("{}")
    return runs


def write(run, **changes):
    """Write the environment of a run."""
    (run.path / "env.json").write_text(json.dumps(ENVIRONMENT | changes))


def test_the_oldest_code_and_all_machines(runs):
    """Dates are compared as moments: 03:00 at +01:00 is before 02:30 at +00:00."""
    write(runs[0])
    write(
        runs[1],
        commit="fedcba9876543210",
        commit_date="2026-01-02T02:30:00+00:00",
        started="2026-01-04T00:00:00+00:00",
        device="A GPU",
    )
    (made,) = provenance(runs)
    assert (made.program, made.num_runs) == ("search", 2)
    assert made.commits == ("0123456789ab-dirty", "fedcba987654")
    assert made.oldest_code == "2026-01-02T03:00:00+01:00"
    assert made.started == ("2026-01-04T00:00:00+00:00", "2026-01-05T00:00:00+00:00")
    assert made.machines == (
        "A CPU, cores: 2, threads of a run: 1, torch 2.14",
        "A GPU, cores: 2, threads of a run: 1, torch 2.14",
    )
    assert made.to_text().startswith(
        "2 searches; started 2026-01-04 to 2026-01-05; commits 0123456789ab-dirty, fedcba987654; A"
    )


def test_what_one_run_does_not_say_is_not_claimed_for_all(runs):
    write(runs[0])
    write(runs[1], commit_date=None, started=None)
    (made,) = provenance(runs)
    assert made.oldest_code is None and made.started == ()


@pytest.mark.parametrize("key", ["commit_date", "started"])
@pytest.mark.parametrize("value", [3, "yesterday", "2026-01-02"])
def test_a_damaged_date_is_an_error(runs, key, value):
    write(runs[0])
    write(runs[1], **{key: value})
    with pytest.raises(ReportError, match=rf"env\.json: {key}: expected a date and time"):
        provenance(runs)
