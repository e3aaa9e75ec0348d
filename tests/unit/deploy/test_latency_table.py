"""Latency tables: measured at a tiny size, read back, and refused where they do not fit."""

import dataclasses
import json
from itertools import count

import pytest
import torch

from nas.config.network_size import CIFAR_SIZE, NetworkSize
from nas.deploy import latency_table
from nas.deploy.latency_table import error_table, measure_latency_table, with_offset
from nas.deploy.options import LatencySettings
from nas.errors import ConfigError
from nas.models import random_genotype
from nas.models.latency_table import LatencyTable, OperatorLatency, read_latency_table
from nas.operators import resolve
from nas.operators.contract import network_sizes
from nas.space import load_space

SHAPE, SIZE = (3, 8, 8), NetworkSize(4, 3)


@pytest.fixture(scope="module")
def space():
    space = load_space("s2")
    resolve(space)
    return space


def made_up(space, image_shape=SHAPE, size=SIZE, offset_ms=5.0):
    """A table in which the latency of every operator and size is another number."""
    numbers = count(1)
    operators = tuple(
        OperatorLatency(name, at.channels, at.stride, at.height, at.width, next(numbers) / 8)
        for at in network_sizes(image_shape, *size)
        for name in space.primitives
        if name != "none"
    )
    return LatencyTable(
        image_shape, size, 1, offset_ms, operators, (), (), "2026-01-01", {"cpu": "x", "torch": "y"}
    )


def test_measures(space, tmp_path):
    """Every operator at every size; the number of threads is restored; the file reads back."""
    threads = torch.get_num_threads()
    settings = LatencySettings(out="x", space="s2", image_size=8, calls=1, networks=1)
    table = measure_latency_table(settings, SIZE)
    assert torch.get_num_threads() == threads
    assert {(one.operator, one.stride) for one in table.operators} == {
        (name, stride) for name in space.primitives for stride in (1, 2)
    }
    assert all(one.median_ms > 0 for one in table.operators)
    assert table.environment["torch"] == torch.__version__
    path = tmp_path / "table.json"
    path.write_text(table.to_json())
    assert read_latency_table(path) == table
    low, high = table.costs(space, SHAPE, SIZE).bounds()
    assert table.offset_ms < low < high
    assert "random cells, seed 1" in error_table(table)


def test_sum_and_offset(space):
    """By hand: the operators of each cell, and the mean of what they leave over."""
    table = made_up(space, offset_ms=0.0)
    latency = {(o.operator, o.channels, o.stride, o.height): o.median_ms for o in table.operators}
    genotype = random_genotype(space, 0)
    by_hand = sum(latency[name, 4, 1, 8] for node in genotype.normal for name, _ in node)
    for channels, height in ((8, 8), (16, 4)):
        for node in genotype.reduce:
            for name, source in node:
                strided = source < 2
                key = (2, height) if strided else (1, height // 2)
                by_hand += latency[name, channels, *key]
    assert table.sum_of(genotype, space) == pytest.approx(by_hand)
    genotypes = [random_genotype(space, seed) for seed in range(4)]
    sums = [table.sum_of(one, space) for one in genotypes]
    times = [sums[0] + 6, sums[1] + 8, sums[2] + 7, sums[3] + 9]
    fitted = with_offset(table, space, genotypes, times)
    assert fitted.offset_ms == pytest.approx(7)
    assert [one.network_ms for one in fitted.checked] == times[2:]
    assert fitted.costs(space, SHAPE, SIZE).of(genotype) == pytest.approx(by_hand + 7)


def test_operators_are_timed_as_deployed(space, monkeypatch):
    """No BatchNorm is left in what runs, and it is in eval mode."""
    timed = []
    original = latency_table.prepare
    monkeypatch.setattr(
        latency_table,
        "prepare",
        lambda net, **kwargs: timed.append(original(net, **kwargs)) or timed[-1],
    )
    measure_latency_table(
        LatencySettings(out="x", space="s2", image_size=8, calls=1, networks=1), SIZE
    )
    layers = [layer for net in timed for layer in net.modules()]
    assert layers and not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in layers)
    assert not any(net.training for net in timed)


@pytest.mark.parametrize("setting", [{"width_mult": 0.5}, {"num_classes": 4}, {"engine": "eager"}])
def test_settings_of_chains_are_refused(setting):
    with pytest.raises(ConfigError, match=f"{next(iter(setting))}: found .*, but s2 is a space of"):
        measure_latency_table(LatencySettings(out="x", space="s2", **setting))


def test_refuses_what_does_not_fit(space):
    """Other shapes, and operators that are missing; the message names them."""
    table = made_up(space)
    with pytest.raises(ConfigError, match=r"measure with `nas latency --image_size 16`"):
        table.costs(space, (3, 16, 16), SIZE)
    with pytest.raises(ConfigError, match="measured with 4 channels and 3 cells on images"):
        table.costs(space, SHAPE, CIFAR_SIZE)
    fewer = dataclasses.replace(table, operators=table.operators[1:])
    with pytest.raises(ConfigError, match="lacks skip_connect at 4 channels, 8 x 8, stride 1; m"):
        fewer.costs(space, SHAPE, SIZE)
    none = dataclasses.replace(table, operators=())
    with pytest.raises(ConfigError, match="and 7 more"):
        none.costs(space, SHAPE, SIZE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"operators": 3}, "operators: expected a list of objects, found 3"),
        ({"operators": [{}]}, r"operators\[0\]: without 'operator'"),
        ({"image_shape": [3, 8]}, "image_shape: expected three whole numbers"),
        ({"size": {}}, "without 'init_channels'"),
    ],
)
def test_refuses_a_damaged_file(change, message, space, tmp_path):
    path = tmp_path / "table.json"
    path.write_text(json.dumps(json.loads(made_up(space).to_json()) | change))
    with pytest.raises(ConfigError, match=message):
        read_latency_table(path)
