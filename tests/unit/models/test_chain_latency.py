"""Latency tables of chains: sums against enumeration, files, and what does not fit."""

import dataclasses
import itertools
import json
from itertools import count

import pytest

from nas.errors import ConfigError, shown_range
from nas.genotype import Budget, Chain, random_chain
from nas.models.chain_latency import (
    ChainLatency,
    CheckedNetwork,
    Measured,
    read_chain_latency,
    target_costs,
)
from nas.models.latency_table import read_latency_table
from nas.space import load_chain_space
from nas.space.blocks import Candidate
from nas.space.chain import ChainSpace, FixedBlock, Stage, Stem
from nas.space.chain_layers import LayerAt, head_of, layers_of_chain, stem_of

BLOCKS = tuple(Candidate("sandglass", ratio, kernel) for ratio in (2, 6) for kernel in (3, 5))
STAGES = (
    Stage(64, 2, (1, 3), BLOCKS[:3]),
    Stage(96, 1, (1, 2), BLOCKS),
    Stage(96, 2, (1,), BLOCKS[:2]),
)
SPACE = ChainSpace(
    "tiny", Stem(32), (), STAGES, (FixedBlock(Candidate("conv"), 128),), image_size=16
)


def made_up(space=SPACE, num_classes=10, in_channels=3):
    """A table in which the latency of every layer is another number."""
    numbers = count(1)
    return ChainLatency(
        space=space,
        num_classes=num_classes,
        in_channels=in_channels,
        engine="onnx_fp32",
        num_threads=1,
        num_calls=50,
        layers={
            layer: Measured(layer.size, next(numbers) / 64, 0.125)
            for layer in layers_of_chain(space, num_classes, in_channels)
        },
        checked=(
            CheckedNetwork((("sandglass_t2_k3",),), 2.0, 2.5),
            CheckedNetwork((), 2.0, 1.5),
            CheckedNetwork((), 2.0, 2.2),
        ),
        date="2026-01-01T00:00:00+00:00",
        environment={"cpu": "x", "torch": "y"},
    )


def networks():
    """Every network of the space."""
    stages = []
    for number, stage in enumerate(SPACE.stages):
        layers = SPACE.layers_of(number)
        stages.append(
            [
                names
                for depth in stage.depths
                for names in itertools.product(*(layer.blocks for layer in layers[:depth]))
            ]
        )
    return [Chain(SPACE, stages) for stages in itertools.product(*stages)]


def test_the_cost_of_every_network_is_the_sum_over_its_layers():
    """Stem, each block at the size of its input, head; the bounds are the ends of all sums."""
    table = made_up()
    times = {layer: one.latency_ms for layer, one in table.layers.items()}
    costs = table.costs(SPACE, 16, 10)
    chains = networks()
    assert len(chains) == SPACE.num_networks
    by_hand = [
        times[stem_of(SPACE)]
        + sum(times[LayerAt(block, size)] for *_, block, size in chain.placed())
        + times[head_of(SPACE, 10)]
        for chain in chains
    ]
    assert [costs.of(chain.stages) for chain in chains] == pytest.approx(by_hand, rel=1e-12)
    assert costs.bounds() == pytest.approx((min(by_hand), max(by_hand)))


def test_a_file_reads_back(tmp_path):
    path = tmp_path / "table.json"
    path.write_text(made_up().to_json())
    table = read_chain_latency(path)
    assert table == made_up()
    assert table.costs(SPACE, 16, 10) == made_up().costs(SPACE, 16, 10)
    assert table.errors == pytest.approx((0.25, 0.25))


def test_a_random_network_at_a_latency():
    """Within 3 % of it; what is out of reach is refused with the ends in milliseconds."""
    costs = made_up().costs(SPACE, 16, 10)
    low, high = costs.bounds()
    value = (low + high) / 2
    for seed in range(5):
        chain = random_chain(SPACE, seed, {"latency_ms": Budget(costs, value)})
        assert abs(costs.of(chain.stages) / value - 1) <= 0.03
    with pytest.raises(
        ConfigError, match=f"latency_ms: found 99, but .* {shown_range(low, high)} mill"
    ):
        random_chain(SPACE, 0, {"latency_ms": Budget(costs, 99.0)})


@pytest.mark.parametrize(
    ("space", "sizes", "message"),
    [
        (SPACE, (32, 10, 3), "measured with image size 16, but the target is about 32; measure "),
        (
            SPACE,
            (16, 5, 3),
            "number of classes 10, .* 5; measure .*--image_size 16 --num_classes 5",
        ),
        (SPACE, (16, 10, 1), "measured with number of input channels 3, but the target is about 1"),
        (SPACE.at_width(0.5), (16, 10, 3), "width 1, .* about 0.5; measure it .* 0.5 --ima"),
        (
            dataclasses.replace(SPACE, name="other", stem=Stem(48)),
            (16, 10, 3),
            "measured for space 'tiny', lacks stem 3 -> 48, .* and 1 more of space 'other'; measur",
        ),
    ],
)
def test_refuses_what_does_not_fit(space, sizes, message):
    """In one line that says how to measure what fits."""
    with pytest.raises(ConfigError, match=f"^latency_table: .*{message}") as raised:
        made_up().costs(space, *sizes)
    assert "\n" not in str(raised.value)


def test_refuses_an_incomplete_table():
    table = made_up()
    fewer = dataclasses.replace(table, layers=dict(list(table.layers.items())[:-1]))
    with pytest.raises(ConfigError, match="lacks head 128 -> 10, at 2 x 2 of space 'tiny'; meas"):
        fewer.costs(SPACE, 16, 10)


DOUBLED = {"layers": 2 * json.loads(made_up().to_json())["layers"][:1]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": 3}, "layers: expected a list of objects, found 3"),
        ({"layers": [{}]}, r"layers\[0\]: without 'kind'"),
        ({"checked": [{"stages": []}]}, "checked: expected a list of networks"),
        ({"num_classes": -1}, "num_classes: expected a whole number, found -1"),
        (DOUBLED, r"layers: .* is there twice"),
        ({"space": {}}, "space: "),
        ({"operators": []}, "is a table of cells, but the target is about a chain"),
    ],
)
def test_refuses_a_damaged_file(change, message, tmp_path):
    path = tmp_path / "table.json"
    path.write_text(json.dumps(json.loads(made_up().to_json()) | change))
    with pytest.raises(ConfigError, match=f"latency_table: .*{message}"):
        read_chain_latency(path)


def test_refuses_half_a_file_and_no_file(tmp_path):
    path = tmp_path / "table.json"
    with pytest.raises(ConfigError, match=r"latency_table: .*table\.json"):
        read_chain_latency(path)
    path.write_text(made_up().to_json()[:500])
    with pytest.raises(ConfigError, match="not a JSON object"):
        read_chain_latency(path)


def test_cells_refuse_the_table_of_a_chain(tmp_path):
    path = tmp_path / "table.json"
    path.write_text(made_up().to_json())
    with pytest.raises(ConfigError, match="is a table of a chain, but the target is about cells"):
        read_latency_table(path)


def test_a_target_is_counted_or_read(tmp_path):
    """Of one network: madds as counted, latency as in the file."""
    path = tmp_path / "table.json"
    space = load_chain_space("mobilenext_chain_32")
    table = made_up(space)
    path.write_text(table.to_json())
    sizes = (space, space.image_size, 10, 3)
    chain = random_chain(space, 0)
    madds = target_costs("madds", *sizes, None).of(chain.stages)
    assert madds == chain.count("madds", space.image_size, 10)
    assert target_costs("latency_ms", *sizes, str(path)) == table.costs(*sizes)
