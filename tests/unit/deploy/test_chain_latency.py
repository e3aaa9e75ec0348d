"""The latency table of a chain, measured at a tiny size."""

import pytest
import torch

from nas.deploy.chain_latency import chain_text, measure_chain
from nas.deploy.options import LatencySettings
from nas.errors import ConfigError
from nas.models.chain_latency import read_chain_latency
from nas.space import load_chain_space
from nas.space.chain_layers import layers_of_chain

FILE = """family: chain
image_size: 16
stem: {width: 8, stride: 2}
candidates: [{block: sandglass, ratio: [2, 4]}]
depths: [1, 2]
stages: [{width: 16, stride: 2}, {width: 32, stride: 2}]
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    path = tmp_path_factory.mktemp("space") / "mine.yaml"
    path.write_text(FILE)
    return load_chain_space(path)


def measure(space, path, **settings):
    settings = {"num_classes": 10, "calls": 5, "networks": 2} | settings
    return measure_chain(LatencySettings(out=str(path), **settings), space)


def test_measures_every_layer_once(space, tmp_path):
    """At the width that is asked for; threads are restored; the file reads back."""
    threads = torch.get_num_threads()
    path = tmp_path / "table.json"
    table, rounds = measure(space, path, engine="eager", width_mult=0.5, calls=20)
    assert torch.get_num_threads() == threads
    assert table.space == space.at_width(0.5)
    assert list(table.layers) == list(layers_of_chain(space.at_width(0.5), 10))
    assert all(network.measured_ms > 0 for network in table.checked)
    for network in table.checked:
        by_table = table.costs(table.space, 16, 10).of(network.stages)
        assert network.predicted_ms == pytest.approx(by_table)
        assert 0.2 < by_table / network.measured_ms < 5  # wide: the machine may be busy
    path.write_text(table.to_json())
    assert read_chain_latency(path) == table
    text = chain_text(table)
    assert "| random:1 |" in text and "engine eager" in text and "median" in text
    assert rounds.folder.is_dir()
    assert all(one.median_ms != one.latency_ms for one in table.layers.values())


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnx_fp32", "onnx_int8"])
def test_the_sum_is_near_the_network_in_onnx_runtime(space, tmp_path, engine):
    """Wide limits: at this size calls, not layers, take most of the time."""
    table, rounds = measure(space, tmp_path / "table.json", engine=engine, calls=500)
    median, largest = table.errors
    assert median < 0.25 and largest < 0.5
    rounds.remove()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"plugins": ("mine.py",)}, "plugins: have an effect only on cells, and mine is a chain"),
        ({"engine": "onnx"}, "engine: 'onnx' is unknown; did you mean 'onnx_"),
    ],
)
def test_settings_that_do_not_fit(space, tmp_path, settings, message):
    """Before anything is made."""
    with pytest.raises(ConfigError, match=message):
        measure(space, tmp_path / "t.json", **settings)
    assert not list(tmp_path.iterdir())


def test_images_below_the_strides(tmp_path):
    space = load_chain_space("mobilenext_chain_64")
    with pytest.raises(ConfigError, match=r"images of 16 x 16 are too small: .* divide them by 32"):
        measure(space, tmp_path / "t.json", image_size=16)
