"""The settings that come with the project are read, and say what their papers say."""

from pathlib import Path

import pytest

from nas.config import AugmentConfig, DetectConfig, SearchConfig, parse_settings, resolved
from nas.experiments.experiment import read_experiment
from nas.experiments.plan import plan

FILES = sorted(Path("experiments").glob("*/*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_file_is_read(path):
    """As search or retrain settings, or as an experiment whose runs can all be planned."""
    if path.name == "experiment.yaml":
        assert plan(read_experiment(path.parent))
        return
    if path.name == "detect.yaml":
        assert parse_settings(DetectConfig, "prog", "", [f"--config={path}", "--data=voc"])
        return
    is_search = path.name == "search.yaml" or path.parent.name == "methods"
    settings = SearchConfig if is_search else AugmentConfig
    assert parse_settings(settings, "prog", "", [f"--config={path}"])


def test_full_size_is_the_default():
    """experiments/cifar10 spells out the defaults, which are those of DARTS."""
    folder = "--config=experiments/cifar10"
    search = parse_settings(SearchConfig, "prog", "", [f"{folder}/search.yaml"])
    assert search == SearchConfig()
    augment = parse_settings(AugmentConfig, "prog", "", [f"{folder}/augment.yaml"])
    assert resolved(augment) == resolved(AugmentConfig(eval_interval=10))
    recipe = resolved(AugmentConfig())
    assert (recipe.epochs, recipe.batch_size, recipe.cutout) == (600, 96, 16)
    assert (recipe.init_channels, recipe.num_cells) == (36, 20)
    assert (recipe.learning_rate, recipe.learning_rate_min) == (0.025, 0)
    assert (recipe.auxiliary_weight, recipe.drop_path_prob, recipe.grad_clip) == (0.4, 0.2, 5)
    assert (recipe.momentum, recipe.weight_decay) == (0.9, 3e-4)


def test_the_recipe_of_nasbench201():
    """NAS-Bench-201, Table 1 and its code; the size is the default of its cells."""
    path = "experiments/nasbench201/augment.yaml"
    config = parse_settings(AugmentConfig, "p", "", [f"--config={path}"])
    assert resolved(config, "nasbench201") == resolved(
        AugmentConfig(
            epochs=200,
            batch_size=256,
            cutout=0,
            learning_rate=0.1,
            nesterov=True,
            weight_decay=5e-4,
            grad_clip=None,
        ),
        "nasbench201",
    )


def test_imagenet_of_darts():
    """DARTS, Sec. 3.3 and its code: 250 epochs, batch 128, SGD 0.1 times 0.97, 48 x 14."""
    config = parse_settings(AugmentConfig, "p", "", ["--config=experiments/imagenet/darts.yaml"])
    assert resolved(config) == resolved(
        AugmentConfig(
            dataset="imagenet",
            stem="imagenet",
            epochs=250,
            batch_size=128,
            learning_rate=0.1,
            schedule="exponential",
            weight_decay=3e-5,
            label_smoothing=0.1,
            drop_path_prob=0.0,
            color_jitter=0.4,
        )
    )
    assert (resolved(config).init_channels, resolved(config).num_cells) == (48, 14)
