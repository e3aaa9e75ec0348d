"""A chain as the kind of a search: what is refused, recorded and read back."""

import pytest
import torch

from nas.config import SearchConfig
from nas.errors import ConfigError, SearchSpaceError
from nas.genotype import random_chain
from nas.search.assembly import Recipe
from nas.search.decode import decode, decode_chain
from nas.search.kind import kind_of
from nas.space import load_chain_space, load_space_at
from nas.supernet import Alphas

SPACE = load_chain_space("mobilenext_chain_64")


@pytest.mark.parametrize("seed", range(3))
def test_one_hot_strengths_decode_to_their_network(seed):
    """With noise below the strongest, and more of it where the space has no pair."""
    chain = random_chain(SPACE, seed)
    generator = torch.Generator().manual_seed(seed)
    strengths = {}
    for group, rows in SPACE.groups.items():
        mask = torch.tensor(SPACE.mask(group))
        strengths[group] = torch.rand(mask.shape, generator=generator) + 2 * ~mask
        assert strengths[group].shape == (len(rows), len(SPACE.columns(group)))
    for number, (names, stage) in enumerate(zip(chain.stages, SPACE.stages, strict=True)):
        first = sum(one.depths[-1] for one in SPACE.stages[:number])
        for index, name in enumerate(names):
            strengths["layers"][first + index, SPACE.candidates.index(name)] = 1.5
        strengths["depths"][number, stage.depths.index(len(names))] = 1.5
    assert decode_chain(strengths, SPACE) == chain


def test_equal_strengths_decode_to_the_first_column():
    """The lowest candidate of each layer, and the smallest depth of each stage."""
    alphas = Alphas(SPACE, init_std=0.0)
    chain = decode(alphas, SPACE)
    assert chain.depths == (1, 1, 1, 1, 1)
    assert all(
        names == (next(iter(SPACE.layers_of(n)[0].blocks)),) for n, names in enumerate(chain.stages)
    )


def test_a_record_is_read_back():
    kind = kind_of(SPACE)
    chain = random_chain(SPACE, 0)
    record = kind.numbers(chain, (1, 64, 64), 7)
    assert kind.read(record) == chain
    gray = SPACE.stem_channels * 2 * 9  # the weights that two input channels more would have
    assert record["num_parameters"] == chain.count("parameters", 64, 7) - gray


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"num_cells": 5}, ConfigError, "num_cells: found 5, but mobilenext_chain_64 is a chain"),
        ({"init_channels": 8}, ConfigError, "init_channels: found 8, but"),
        ({"method": "pc_darts"}, ConfigError, "pc_darts changes what is on the edges of a cell"),
        ({"selection": "darts_pt"}, SearchSpaceError, "selection: darts_pt: space: found chain"),
        ({"stop": "skip_count"}, SearchSpaceError, "stop: skip_count: space: found chain, which"),
    ],
)
def test_what_means_nothing_is_refused(settings, error, message):
    config = SearchConfig(space="mobilenext_chain_64", **settings)
    with pytest.raises(error, match=message):
        Recipe.of(config, SPACE)


def test_a_width():
    """Of a chain only; the space of a run has it."""
    config = SearchConfig(space="mobilenext_chain_64", width_mult=0.75)
    assert load_space_at(config.space, config.width_mult) == SPACE.at_width(0.75)
    cells = SearchConfig(width_mult=0.5)
    with pytest.raises(ConfigError, match="width_mult: has an effect only on a chain"):
        Recipe.of(cells, load_space_at(cells.space, cells.width_mult))
