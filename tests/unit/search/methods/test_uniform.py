"""Uniform paths: every choice is equally likely, and the alphas have no part in it."""

import pytest
import torch

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.search.method import Progress
from nas.search.methods.uniform import Uniform
from nas.space.chain import DEPTHS, LAYERS
from nas.supernet import Alphas
from tests.contract.test_chain_methods import SPACE

SETTINGS = {"method": "uniform", "selection": "evolution"}


def test_every_choice_is_equally_likely():
    """Of each row, among what the space has; alphas that differ change nothing."""
    alphas, generator, num = Alphas(SPACE, init_std=5.0), torch.Generator().manual_seed(0), 3000
    method, progress = Uniform(), Progress(0, 2)
    totals = {group: torch.zeros(alphas[group].shape) for group in alphas.groups}
    for _ in range(num):
        weights = method.arch_weights(alphas, progress, method.draw(alphas, progress, generator))
        for group, one in weights.items():
            assert not one.ops.requires_grad
            assert one.chosen == tuple(one.ops.argmax(dim=1).tolist())
            totals[group] += one.ops
    for group, total in totals.items():
        mask = torch.tensor(SPACE.mask(group))
        chance = mask / mask.sum(dim=1, keepdim=True)
        error = 5 * (chance * (1 - chance) / num).sqrt()
        assert ((total / num - chance).abs() <= error).all()


def test_a_measurement_is_of_the_network_that_is_recorded():
    """Without noise: that of the largest alphas."""
    alphas, method = Alphas(SPACE, init_std=1.0), Uniform()
    weights = method.arch_weights(alphas, Progress(0, 1), None)
    chain = method.decode(alphas, SPACE, Progress(0, 1))
    layers = iter(weights[LAYERS].chosen)
    for number, names in enumerate(chain.stages):
        chosen = [SPACE.candidates[next(layers)] for _ in SPACE.layers_of(number)]
        assert tuple(chosen[: len(names)]) == names
        assert SPACE.depths[weights[DEPTHS].chosen[number]] == len(names)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"selection": None}, "chooses none; use evolution or random"),
        ({"term": "beta_decay"}, "term: found beta_decay, but method uniform moves no alphas"),
        ({"monitor": "margin"}, "monitor: found margin"),
        ({"target": "madds=9e3,weight=2"}, "weight and warmup_epochs have no effect"),
        ({"order": "second_order"}, "the method allows first_order"),
    ],
)
def test_what_has_no_effect_is_refused(settings, message):
    config = SearchConfig(**SETTINGS | settings)
    with pytest.raises(ConfigError, match=message):
        Uniform().check(config, SPACE)


def test_one_epoch_with_a_target():
    """The target is for the selection: no term waits for the alphas to warm up."""
    Uniform().check(SearchConfig(**SETTINGS, target="madds=9e3", epochs=1), SPACE)


def test_the_optimizer_of_the_alphas_has_no_use():
    """One file of settings serves all methods, so it is named, not refused."""
    config = SearchConfig(**SETTINGS, alpha_learning_rate=0.1, learning_rate=0.1)
    assert Uniform().unused(config) == ["alpha_learning_rate"]
