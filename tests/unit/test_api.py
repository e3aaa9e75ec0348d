"""The package from Python: a search, a training run and the trained network."""

import logging

import pytest
import torch

from nas import api
from nas.data import load_dataset
from nas.errors import ConfigError, RunDirectoryError
from nas.genotype import Genotype, load_genotype

SMALL = {
    "dataset": "shapes",
    "max_images": 32,
    "batch_size": 8,
    "epochs": 1,
    "init_channels": 2,
    "num_cells": 3,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    return api.search(
        "sandglass+skip_connect", out=tmp_path_factory.mktemp("api") / "cells", **SMALL
    )


def test_from_a_search_to_a_prediction(searched, tmp_path, caplog):
    """The genotype of a search is trained, loaded and used, without a program."""
    assert isinstance(searched.genotype, Genotype)
    assert load_genotype(searched.path) == searched.genotype
    with caplog.at_level(logging.INFO):
        trained = api.train(searched.genotype, out=tmp_path / "run", **SMALL)
    assert "32 training" in caplog.text  # progress goes to the log, not to stdout
    assert trained.genotype == searched.genotype
    assert trained.genotype.search == searched.genotype.search  # where it came from is kept
    assert 0 <= trained.evaluation.top1 <= 100 and trained.cost.num_parameters > 0
    network = api.load(trained.path)
    images = load_dataset("shapes", split="test").images[:3]
    predictions = network.predict(images)
    assert [p.class_name in network.class_names for p in predictions] == [True] * 3
    with pytest.raises(RunDirectoryError, match="already holds a run"):
        api.train(searched.genotype, out=tmp_path / "run", **SMALL)


def test_networks_that_can_be_named(searched, tmp_path):
    """A run directory of a search, a published name, and a network by name."""
    short = {**SMALL, "max_images": 16}
    by_path = api.train(searched.path, out=tmp_path / "a", **short)
    assert by_path.genotype == searched.genotype
    by_name = {k: v for k, v in short.items() if k not in ("init_channels", "num_cells")}
    named = api.train("mobilenext_0.05", out=str(tmp_path / "b"), **by_name)
    assert named.genotype is None
    assert api.load(named.path).predict(torch.zeros(3, 9, 9, dtype=torch.uint8)).probability > 0


def test_a_finished_run_is_resumed_with_its_own_settings(searched):
    """Nothing is left to do, so the result is the same; other settings are refused."""
    again = api.search(out=searched.path, resume=True)
    assert again.genotype == searched.genotype
    with pytest.raises(ConfigError, match="keeps its settings; leave `epochs` out"):
        api.search(out=searched.path, resume=True, epochs=2)
    with pytest.raises(ConfigError, match="holds no run"):
        api.train(out=searched.path / "absent", resume=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 1}, "epoch: unknown setting; did you mean 'epochs'"),
        ({"epochs": 0}, "epochs: "),
        ({"epochs": "many"}, "epochs: expected a whole number, found 'many'"),
        ({"evaluate": "a.pt"}, "evaluate: unknown setting"),
    ],
)
def test_wrong_settings_are_named(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        api.train("DARTS_V2", out=tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()
