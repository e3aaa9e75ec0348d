"""The settings files of published searches name methods that exist, at sizes that fit them."""

from pathlib import Path

import pytest

from nas.config import SearchConfig, parse_settings
from nas.search.assembly import Recipe
from nas.search.kind import kind_of
from nas.space import load_space

FILES = sorted(Path(__file__).parents[3].glob("experiments/methods/*.yaml"))

ADDED = {"darts_es": ("stop", "eigenvalue"), "darts_pt": ("selection", "darts_pt")}
"""Papers that add something to DARTS, by the setting that does it."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_method_accepts_its_settings(path):
    config = parse_settings(SearchConfig, "nas search", "", [f"--config={path}"])
    setting, name = ADDED.get(path.stem, ("method", path.stem))
    assert getattr(config, setting).startswith(name)
    space = load_space(config.space)
    kind_of(space).prepare(config)
    Recipe.of(config, space)
