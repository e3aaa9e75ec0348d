"""Experiments are read strictly, and planned as the product of what they name."""

from dataclasses import replace

import pytest

from nas.config import run_settings
from nas.errors import ConfigError
from nas.experiments.experiment import read_experiment
from nas.experiments.plan import plan
from nas.genotype import random_chain
from nas.runtime.run_directory import RunDirectory
from nas.space import load_space, load_space_at

GOOD = """
title: An experiment
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
    (tmp_path / "experiment.yaml").write_text(GOOD)
    return tmp_path


def test_the_plan_is_the_product(folder):
    """2 x 2 searches, each cell three times, each baseline three times; no name twice."""
    runs = plan(read_experiment(folder))
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
    (folder / "experiment.yaml").write_text(alone)
    runs = plan(read_experiment(folder))
    assert [run.name for run in runs] == ["mobilenext_0.35-seed4", "mobilenext_0.35-seed5"]
    for run, seed in zip(runs, (4, 5), strict=True):
        assert (run.settings().model, run.settings().seed) == ("mobilenext_0.35", seed)
        assert run.settings().epochs == 7 and run.needs is None and not run.has_cells
        run.check()
    (folder / "experiment.yaml").write_text(GOOD + "models: [mobilenext_0.35]\n")
    *others, a, b, c = plan(read_experiment(folder))
    assert {run.group for run in (a, b, c)} == {"mobilenext_0.35"}
    assert all(run.has_cells for run in others)


def test_states_are_what_is_on_disk(folder):
    run = plan(read_experiment(folder))[0]
    run.path.mkdir(parents=True)
    (run.path / "config.yaml").write_text("space: s2\nepochs: 3\ndataset: shapes\nout: moved\n")
    assert run.state() == "unfinished"
    run.check()
    (run.path / "genotype.json").write_text("{}")
    assert run.state() == "finished"


def test_a_run_with_other_settings_is_not_counted(folder):
    """A table never mixes budgets."""
    run = plan(read_experiment(folder))[0]
    run.path.mkdir(parents=True)
    (run.path / "config.yaml").write_text("space: s2\nepochs: 4\ndataset: shapes\n")
    with pytest.raises(ConfigError, match="was run with epochs 4, but the settings now say 3"):
        run.check()


def test_two_runs_never_share_a_directory(folder):
    """Names that are equal once their other characters are gone, or but for case."""
    cells = ["a/b.json", "a_b.json", "A_b.json", "a:b.json", "long/" * 30 + "a", "long/" * 30 + "b"]
    text = GOOD.replace('[DARTS_V2, "random:0"]', str(cells))
    (folder / "experiment.yaml").write_text(text)
    runs = plan(read_experiment(folder))
    assert len({str(run.path).casefold() for run in runs}) == len(runs)
    assert all(len(run.path.name) < 200 for run in runs)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{s2: {error", "{s3: {error", "paper: 's3' is not a row; known: s2"),
        ("{error: 3.0}", "{source: 5}", "paper: s2: source: expected text"),
        ("{error: 3.0}", "{error: .nan}", "paper: s2: error: expected a number"),
        ("title: An experiment", "titel: An experiment", "did you mean 'title'"),
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
def test_bad_experiments(folder, old, new, message):
    """The file and the key are named."""
    assert old in GOOD
    (folder / "experiment.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=r"experiment\.yaml") as found:
        read_experiment(folder)
    assert message in str(found.value)


def test_wrong_settings_are_found_before_anything_runs(folder):
    (folder / "augment.yaml").write_text("epoch: 7\n")
    with pytest.raises(ConfigError, match=r"augment\.yaml: unknown setting 'epoch'"):
        for run in plan(read_experiment(folder)):
            run.check()


METHODS = """
search_config: search.yaml
spaces: [s2, darts]
methods:
  - darts
  - {name: pc_darts, channel_fraction: 4, edges: true}
  - pc_darts,channel_fraction=2
search_seeds: [0, 1]
augment_config: augment.yaml
augment_seeds: [0]
paper: {"pc_darts,channel_fraction=2 in s2": {error: 2.5}}
"""


def test_methods_are_compared(folder):
    """Each space is searched with each method and seed; a row for each pair, names are safe."""
    (folder / "experiment.yaml").write_text(METHODS)
    experiment = read_experiment(folder)
    assert experiment.methods == (
        "darts",
        "pc_darts,channel_fraction=4,edges=true",
        "pc_darts,channel_fraction=2",
    )
    runs = plan(experiment)
    searches = [run for run in runs if run.program == "search"]
    assert len(searches) == 2 * 3 * 2 and len(runs) == 2 * len(searches)
    assert len({run.path for run in runs}) == len(runs)
    assert {run.group for run in runs} == set(experiment.rows)
    assert searches[0].group == "darts in s2" and "--method=darts" in searches[0].flags
    for run in runs:
        assert not set(run.path.name) & set("=,/ "), run.path
    assert {run.settings().method for run in searches} == set(experiment.methods)
    for training in runs[len(searches) :]:
        assert training.needs in {search.path for search in searches}


def test_a_method_with_seeds_of_its_own(folder):
    """They take the place of the common ones, for this method alone; its row keeps its name."""
    own = METHODS.replace("{name: pc_darts,", "{name: pc_darts, search_seeds: [0, 1, 7],")
    (folder / "experiment.yaml").write_text(own)
    experiment = read_experiment(folder)
    assert experiment.rows[1] == "pc_darts,channel_fraction=4,edges=true in s2"
    searches = [run for run in plan(experiment) if run.program == "search"]
    seeds = {group: [] for group in experiment.rows}
    for run in searches:
        seeds[run.group].append(run.settings().seed)
    for group, numbers in seeds.items():
        assert numbers == ([0, 1, 7] if "edges" in group else [0, 1]), group


PT = """
search_config: search.yaml
spaces: [s2]
methods:
  - darts
  - darts+darts_pt
  - {name: sdarts_rs, epsilon: 1.0e+1, selection: {name: darts_pt, interval: 2}}
search_seeds: [0]
paper: {darts+darts_pt in s2: {error: 2.6}}
"""


def test_a_method_with_and_without_a_selection(folder):
    """Rows and directories are named apart; the method and the selection are two settings."""
    (folder / "experiment.yaml").write_text(PT)
    runs = plan(read_experiment(folder))
    assert [run.group for run in runs] == [
        "darts in s2",
        "darts+darts_pt in s2",
        "sdarts_rs,epsilon=10.0+darts_pt,interval=2 in s2",
    ]
    assert [run.path.name for run in runs][:2] == ["s2-darts-seed0", "s2-darts+darts_pt-seed0"]
    assert [(run.settings().method, run.settings().selection) for run in runs] == [
        ("darts", None),
        ("darts", "darts_pt"),
        ("sdarts_rs,epsilon=10.0", "darts_pt,interval=2"),
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("[a+b+c]", "perhaps with +SELECTION after it, found 'a+b+c'"),
        ("[{name: a, selection: [b]}]", "methods[0]: selection: expected a name"),
        ("[{name: a, selection: b+c}]", "perhaps with +SELECTION"),
        ("[{name: a, selection: b}, a+b]", "found one twice"),
        ("[1]", "methods[0]: expected a name"),
        ("[{channel_fraction: 4}]", "methods[0]: expected a name"),
        ("[{name: a, b: [1]}]", "methods[0]: b: expected text or a number"),
        ("['a,b']", "expected NAME or NAME,SETTING=VALUE"),
        ("[darts, darts]", "found one twice"),
        ("[{name: a, b: 1}, 'a,b=1']", "found one twice"),
        ("[{name: a, search_seeds: []}]", "methods[0]: search_seeds: expected at least one"),
        ("[b, {name: a, search_seeds: [1, 1]}]", "methods[1]: search_seeds: expected a list of"),
        ("[{name: a, search_seeds: 3}]", "methods[0]: search_seeds: expected a list of"),
        ("darts", "methods: expected a list"),
    ],
)
def test_bad_methods(folder, entry, message):
    """The file, the entry and what is allowed are named."""
    (folder / "experiment.yaml").write_text(f"methods: {entry}\n{GOOD}")
    with pytest.raises(ConfigError, match=r"experiment\.yaml: methods") as error:
        read_experiment(folder)
    assert message in str(error.value)


def test_the_old_name_of_the_file_is_read(folder):
    """Folders of earlier versions still work; with both files nobody knows which is meant."""
    experiment = read_experiment(folder)
    (folder / "experiment.yaml").rename(folder / "claim.yaml")
    assert read_experiment(folder) == experiment
    (folder / "experiment.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match=r"has experiment\.yaml and claim\.yaml"):
        read_experiment(folder)


def test_files_in_the_folder_are_used(folder):
    """Genotypes and spaces next to experiment.yaml, from whatever folder it is run."""
    (folder / "my cell.json").write_text("{}")
    (folder / "my.yaml").write_text("num_nodes: 2\nprimitives: [skip_connect, sep_conv_3x3]\n")
    text = GOOD.replace("DARTS_V2", "my cell.json").replace("[s2,", "[s2, my.yaml, my.yaml+ir,")
    (folder / "experiment.yaml").write_text(text)
    flags = {flag for run in plan(read_experiment(folder)) for flag in run.flags}
    assert f"--genotype={folder / 'my cell.json'}" in flags
    assert {f"--space={folder / 'my.yaml'}", f"--space={folder / 'my.yaml'}+ir"} <= flags
    assert {"--space=s2", "--genotype=random:0", "--space=darts+sandglass"} <= flags


@pytest.fixture
def finished(folder):
    """A finished search in the space my.yaml."""
    (folder / "my.yaml").write_text("num_nodes: 2\nprimitives: [skip_connect, sep_conv_3x3]\n")
    (folder / "experiment.yaml").write_text(
        GOOD.replace("[s2,", "[my.yaml,").replace("s2:", "my.yaml:")
    )
    run = plan(read_experiment(folder))[0]
    run.path.mkdir(parents=True)
    settings = f"space: {folder}/my.yaml\nepochs: 3\ndataset: shapes\nseed: 0\n"
    (run.path / "config.yaml").write_text(settings)
    (run.path / "space.yaml").write_text(load_space(str(folder / "my.yaml")).to_yaml())
    (run.path / "genotype.json").write_text("{}")
    run.check()
    return run


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("search.yaml", "epochs: 3", "epochs: 4", "was run with epochs 3"),
        ("search.yaml", "epochs: 3", "epochs: 3\nbatch_size: 32", "was run with batch_size 64"),
        ("search.yaml", "shapes", "cifar10", "was run with dataset 'shapes'"),
        ("my.yaml", "sep_conv_3x3", "max_pool_3x3", "searched another space"),
        ("my.yaml", "num_nodes: 2", "num_nodes: 3", "searched another space"),
    ],
)
def test_what_changed_since_a_run_is_noticed(folder, finished, file, old, new, message):
    """The settings, the dataset, or the content of the space file."""
    path = folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=message):
        finished.check()


def test_a_space_file_that_moved_is_the_same_space(folder, finished):
    """Where the experiment is says nothing about it."""
    moved = folder.with_name("moved")
    folder.rename(moved)
    run = plan(read_experiment(moved))[0]
    assert run.state() == "finished"
    run.check()


def test_a_result_without_settings_is_not_counted(finished):
    """Nothing says what made it."""
    (finished.path / "config.yaml").unlink()
    assert finished.state() == "finished"
    with pytest.raises(ConfigError, match=r"no config\.yaml"):
        finished.check()


def test_cells_of_nasbench201_have_the_size_of_their_networks(folder):
    """Whether they are searched or named; those of other families are as before."""
    cell = "|nor_conv_3x3~0|"
    (folder / "experiment.yaml").write_text(
        "search_config: search.yaml\nspaces: [nasbench201]\nsearch_seeds: [0]\n"
        f"augment_config: augment.yaml\naugment_seeds: [0]\ngenotypes: ['{cell}', DARTS_V2]\n"
    )
    _, searched, named, darts = plan(read_experiment(folder))
    for run in (searched, named):
        assert (run.settings().init_channels, run.settings().num_cells) == (16, 5)
    assert (darts.settings().init_channels, darts.settings().num_cells) == (36, 20)


CHAINS = """
title: Chains
search_config: search.yaml
spaces: [mobilenext_chain_64]
methods: [gdas, random]
search_seeds: [0]
augment_config: augment.yaml
models: [mobilenext_0.5]
augment_seeds: [4]
"""


@pytest.fixture
def chains(folder):
    """Searches of a chain; the random ones are made, the others not."""
    (folder / "experiment.yaml").write_text(CHAINS)
    (folder / "search.yaml").write_text("target: madds=8e6\nwidth_mult: 0.75\n")
    return plan(read_experiment(folder))


def test_networks_of_a_chain(chains):
    """A training takes what its search finds as a network, and waits for it."""
    _, drawn, trained, of_drawn, named = chains
    assert f"--network={drawn.path.as_posix()}" in of_drawn.flags
    assert not any(run.has_cells for run in chains)
    assert drawn.settings().target == "madds=8e6"
    assert not of_drawn.is_ready() and not trained.is_ready() and named.is_ready()
    drawn.path.mkdir(parents=True)
    space = load_space_at("mobilenext_chain_64", 0.75)
    (drawn.path / "network.json").write_text(random_chain(space, 0).to_json())
    assert drawn.state() == "finished" and of_drawn.is_ready() and not trained.is_ready()


def test_other_networks_of_a_chain_are_refused(chains):
    """So is a training of another network, and a search of another width."""
    _, drawn, _, of_drawn, _ = chains
    space = load_space_at("mobilenext_chain_64", 0.75)
    for run in (drawn, of_drawn):
        settings = replace(run.settings(), out=str(run.path))
        RunDirectory.create(run.path, run_settings(settings))
        (run.path / "network.json").write_text(random_chain(space, 0).to_json())
        (run.path / "space.yaml").write_text(space.to_yaml())
        run.check()
    (of_drawn.path / "network.json").write_text(random_chain(space, 1).to_json())
    with pytest.raises(ConfigError, match=r"what was trained is not what .* has now"):
        of_drawn.check()
    (drawn.path / "space.yaml").write_text(space.at_width(0.5).to_yaml())
    with pytest.raises(ConfigError, match="searched another space than mobilenext_chain_64"):
        drawn.check()


def test_a_random_draw_has_no_epochs(chains):
    """It has no timing.jsonl, takes no time, and is a finished search all the same."""
    _, drawn, *_ = chains
    RunDirectory.create(drawn.path, {})
    assert drawn.times_s() == []
    (drawn.path / "timing.jsonl").write_text('{"epoch": 0, "time_s": 2.5}\n')
    assert drawn.times_s() == [2.5]
