"""`--method random`: random cells in a run directory like any other."""

import json

import pytest

from nas.config import AugmentConfig, SearchConfig
from nas.errors import ConfigError, RunDirectoryError
from nas.genotype import load_chain, load_genotype, random_chain
from nas.models.chain_choice import drawn_chain
from nas.models.random_genotype import random_genotype
from nas.report.html import write_report
from nas.report.run import read_run
from nas.search import search
from nas.space import load_space


def config_of(out, **settings):
    return SearchConfig(
        **{"method": "random", "seed": 3, "device": "cpu", "out": str(out), **settings}
    )


def test_run_directory(tmp_path):
    """The cells are those of random:SEED; no image is read, and the run reads as finished."""
    out = tmp_path / "run"
    result = search(config_of(out, data=str(tmp_path / "nothing")))
    drawn = random_genotype(load_space("darts"), 3)
    assert load_genotype(out) == result.genotype == drawn
    assert {path.name for path in out.iterdir()} >= {
        "config.yaml",
        "env.json",
        "space.yaml",
        "genotype.json",
    }
    details = json.loads((out / "genotype.json").read_text())["search"]
    assert details["method"] == {"name": "random"} and details["seed"] == 3
    assert read_run(out).missing == ()
    assert "random" in write_report(out).read_text()


def test_other_seeds_give_other_cells(tmp_path):
    one, two = (search(config_of(tmp_path / str(seed), seed=seed)).genotype for seed in (0, 1))
    assert one != two


def test_resume(tmp_path):
    """A run whose cells were lost gets the same ones; a finished one is not overwritten."""
    out = tmp_path / "run"
    search(config_of(out))
    before = (out / "genotype.json").read_bytes()
    with pytest.raises(RunDirectoryError):
        search(config_of(out))
    (out / "genotype.json").unlink()
    search(config_of(out, resume=True))
    assert (out / "genotype.json").read_bytes() == before


@pytest.mark.parametrize(
    "settings",
    [
        {"term": "beta_decay"},
        {"stop": "skip_count"},
        {"monitor": "margin"},
        {"monitor_eigenvalue": 1},
        {"selection": "darts_pt"},
        {"target": "madds=300e6"},
        {"order": "second_order"},
    ],
)
def test_settings_of_alphas_are_refused(tmp_path, settings):
    """They would have no effect; nothing is written."""
    (name,) = settings
    with pytest.raises(ConfigError, match=f"{name}: .*no effect"):
        search(config_of(tmp_path / "run", **settings))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "unused"),
    [
        ({}, []),
        (
            {"learning_rate": 0.1, "alpha_init_std": 0.1, "image_size": 16, "epochs": 3},
            ["epochs", "learning_rate", "alpha_init_std", "image_size"],
        ),
    ],
)
def test_settings_of_training_have_no_use(tmp_path, settings, unused, caplog):
    """They are named once."""
    with caplog.at_level("INFO"):
        search(config_of(tmp_path / "run", **settings))
    said = [text for text in caplog.messages if "no effect with method random" in text]
    names = ", ".join(f"`{name}`" for name in unused)
    assert said == ([f"no effect with method random: {names}"] if unused else [])


def chain_config(out, **settings):
    return config_of(
        out, space="mobilenext_chain_64", dataset="shapes", image_size=64, max_images=64, **settings
    )


def test_a_network_at_a_target(tmp_path):
    """It is the one that a training draws by the same seed for the same images."""
    target = "madds=8e6"
    result = search(chain_config(tmp_path / "run", target=target))
    training = AugmentConfig(network="random:3", space="mobilenext_chain_64", target=target)
    assert result.chain == load_chain(tmp_path / "run") == drawn_chain(training, 64, 10)
    assert abs(result.chain.count("madds", image_size=64, num_classes=10) - 8e6) <= 0.03 * 8e6
    details = json.loads((tmp_path / "run" / "network.json").read_text())["search"]
    assert details["method"] == {"name": "random"} and details["budgets"] == {"madds": 8e6}
    assert (details["image_size"], details["num_classes"]) == (64, 10)
    assert read_run(tmp_path / "run").missing == ()


def test_a_network_without_a_target(tmp_path):
    """All networks are equally likely, and no image is read."""
    result = search(chain_config(tmp_path / "run", data=str(tmp_path / "nothing")))
    assert result.chain == random_chain(load_space("mobilenext_chain_64"), 3)


@pytest.mark.parametrize("setting", ["weight=2", "warmup_epochs=3"])
def test_a_target_has_no_loss(tmp_path, setting):
    with pytest.raises(ConfigError, match="method random has no alpha loss, so weight and warmup"):
        search(chain_config(tmp_path / "run", target=f"madds=8e6,{setting}"))


def test_a_target_needs_no_epochs(tmp_path):
    """Nothing warms up."""
    assert search(chain_config(tmp_path / "run", target="madds=8e6", epochs=1)).chain


def test_a_target_out_of_reach(tmp_path):
    with pytest.raises(ConfigError, match=r"target: madds: found 1, but networks of space .* have"):
        search(chain_config(tmp_path / "run", target="madds=1"))
    assert not (tmp_path / "run").exists()
