"""Claims are read strictly, and planned as the product of what they name."""

import pytest

from nas.errors import ConfigError
from nas.experiments.experiment import read_claim
from nas.experiments.plan import plan

GOOD = """
title: A claim
caveat: None.
search_config: search.yaml
spaces: [s2, darts+sandglass]
search_seeds: [0, 1]
augment_config: augment.yaml
genotypes: [DARTS_V2, "random:0"]
augment_seeds: [4, 5, 6]
paper: {s2: {error: 3.0}}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "search.yaml").write_text("epochs: 3\ndataset: shapes\n")
    (tmp_path / "augment.yaml").write_text("epochs: 7\ndataset: shapes\n")
    (tmp_path / "claim.yaml").write_text(GOOD)
    return tmp_path


def test_the_plan_is_the_product(folder):
    """2 x 2 searches, each cell three times, each baseline three times; no name twice."""
    runs = plan(read_claim(folder))
    searches = [run for run in runs if run.program == "search"]
    assert len(searches) == 4 and len(runs) == 4 + 4 * 3 + 2 * 3
    assert len({run.path for run in runs}) == len(runs)
    assert {run.needs for run in runs} == {None, *(run.path for run in searches)}
    for run in runs:
        run.check()
        assert run.state() == "missing"
    (random,) = [run for run in runs if run.name == "random:0-retrain5"]
    assert {"--genotype=random:0", "--seed=5"} <= {*random.flags} and ":" not in random.path.name


def test_networks_by_name_need_no_search(folder):
    """Each with each seed, and nothing else; beside cells they come last."""
    alone = "augment_config: augment.yaml\nmodels: [mobilenext_0.35]\naugment_seeds: [4, 5]\n"
    (folder / "claim.yaml").write_text(alone)
    runs = plan(read_claim(folder))
    assert [run.name for run in runs] == ["mobilenext_0.35-seed4", "mobilenext_0.35-seed5"]
    for run, seed in zip(runs, (4, 5), strict=True):
        assert (run.settings().model, run.settings().seed) == ("mobilenext_0.35", seed)
        assert run.settings().epochs == 7 and run.needs is None and run.is_by_name
        run.check()
    (folder / "claim.yaml").write_text(GOOD + "models: [mobilenext_0.35]\n")
    *others, a, b, c = plan(read_claim(folder))
    assert {run.group for run in (a, b, c)} == {"mobilenext_0.35"}
    assert not any(run.is_by_name for run in others)


def test_states_are_what_is_on_disk(folder):
    run = plan(read_claim(folder))[0]
    run.path.mkdir(parents=True)
    (run.path / "config.yaml").write_text("space: s2\nepochs: 3\ndataset: shapes\nout: moved\n")
    assert run.state() == "unfinished"
    run.check()
    (run.path / "genotype.json").write_text("{}")
    assert run.state() == "finished"


def test_a_run_with_other_settings_is_not_counted(folder):
    """A table never mixes budgets."""
    run = plan(read_claim(folder))[0]
    run.path.mkdir(parents=True)
    (run.path / "config.yaml").write_text("space: s2\nepochs: 4\ndataset: shapes\n")
    with pytest.raises(ConfigError, match="was run with epochs 4, the claim says 3"):
        run.check()


def test_two_runs_never_share_a_directory(folder):
    text = GOOD.replace('DARTS_V2, "random:0"', "a/b.json, a_b.json")
    (folder / "claim.yaml").write_text(text)
    with pytest.raises(ConfigError, match="would share the directory"):
        plan(read_claim(folder))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{s2: {error", "{s3: {error", "paper: 's3' is no row; known: s2"),
        ("{error: 3.0}", "{source: 5}", "paper: s2: source: expected text"),
        ("{error: 3.0}", "{error: .nan}", "paper: s2: error: expected a number"),
        ("title: A claim", "titel: A claim", "did you mean 'title'"),
        ("[0, 1]", "[0, 0]", "search_seeds: expected a list of different whole numbers"),
        ("[0, 1]", "[0.5]", "search_seeds: expected a list"),
        ("[0, 1]", "[]", "a search needs"),
        ("search.yaml", "serch.yaml", "there is no file 'serch.yaml'"),
        ("augment_config: augment.yaml", "", "`augment_seeds` need `augment_config`"),
        ("[4, 5, 6]", "[]", "`genotypes` are only trained"),
        (
            'genotypes: [DARTS_V2, "random:0"]\naugment_seeds: [4, 5, 6]',
            "models: [a_1.0]",
            "`models` are only trained",
        ),
        (
            "genotypes:",
            "models: [s2, s2]\ngenotypes:",
            "models: expected a list of different names",
        ),
        ('"random:0"', '"$(rm -rf)"', "is not a name"),
        ("{error: 3.0}", "{error: low}", "paper: s2: error: expected a number"),
        ("{error: 3.0}", "{eror: 3}", "expected a mapping of error"),
    ],
)
def test_bad_claims(folder, old, new, message):
    """The file and the key are named."""
    assert old in GOOD
    (folder / "claim.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=r"claim\.yaml") as found:
        read_claim(folder)
    assert message in str(found.value)


def test_wrong_settings_are_found_before_anything_runs(folder):
    (folder / "augment.yaml").write_text("epoch: 7\n")
    with pytest.raises(ConfigError, match=r"augment\.yaml: unknown setting 'epoch'"):
        for run in plan(read_claim(folder)):
            run.check()
