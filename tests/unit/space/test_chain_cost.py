"""The cost of a chain: the facts' table to the unit, and sums over layers against a definition."""

import pytest

from nas.errors import ConfigError
from nas.space import load_space
from nas.space.chain_cost import count_chain

MOBILENEXT = load_space("mobilenext_chain")
DEPTHS = (3, 3, 4, 4, 3)


def uniform(t, k, depths):
    """The same candidate in every layer; a first layer at stride 1 has no kernel."""
    strides = [stage.stride for stage in MOBILENEXT.stages]
    return [
        [f"sandglass_t{t}_k{k if i or stride == 2 else 3}" for i in range(depth)]
        for stride, depth in zip(strides, depths, strict=True)
    ]


@pytest.mark.parametrize(
    ("stages", "madds", "parameters"),
    [
        (uniform(12, 3, (1,) * 5), 149_092_224, 2_017_848),
        (uniform(6, 3, DEPTHS), 311_342_592, 3_535_416),
        (uniform(12, 3, DEPTHS), 216_509_952, 2_743_800),
        (uniform(3, 3, DEPTHS), 507_028_992, 5_126_360),
        (uniform(6, 5, DEPTHS), 341_297_664, 3_736_632),
        (uniform(6, 3, (4,) * 5), 346_020_480, 3_917_592),
        (uniform(3, 5, (4,) * 5), 609_896_064, 6_103_448),
    ],
)
def test_points_of_mobilenext(stages, madds, parameters):
    """Counted by running other code: facts/mobile_space.md, section 5."""
    assert count_chain("madds", MOBILENEXT).of(stages) == madds
    assert count_chain("parameters", MOBILENEXT).of(stages) == parameters


@pytest.mark.parametrize(
    ("name", "madds", "parameters", "fixed", "everything"),
    [
        (
            "mobilenext_chain",
            (149_092_224, 609_896_064),
            (2_017_848, 6_103_448),
            (98_806_464, 1_789_816),
            (1_856_503_104, 16_224_312),
        ),
        (
            "mobilenetv2_chain",
            (94_005_248, 525_973_568),
            (2_061_680, 4_340_456),
            None,
            (1_920_149_792, 12_729_560),
        ),
    ],
)
def test_ends_fixed_part_and_all_candidates(name, madds, parameters, fixed, everything):
    """The cheapest and the dearest network, what no choice changes, and the whole supernet."""
    tables = [count_chain(quantity, load_space(name)) for quantity in ("madds", "parameters")]
    assert [table.bounds() for table in tables] == [madds, parameters]
    if fixed is not None:
        assert tuple(table.fixed for table in tables) == fixed
    assert everything == tuple(
        table.fixed + sum(sum(costs.values()) for costs in table.layers) for table in tables
    )


ROWS = {
    # stage: (first t3, t6, t12), (repeat t3, t6, t12), each k3 and k5
    0: ((68791, 71200, 35073, 37481, 18214, 20622), (21977, 26794, 12343, 17160, 7526, 12343)),
    1: ((36635, 37538, 18571, 19475, 12550, 13453), (11854, 13660, 6435, 8241, 3726, 5532)),
    2: ((16859, 8430, 4215), (20622, 23031, 10989, 13397, 6172, 8580)),
    3: ((36381, 36832, 18317, 18769, 9286, 9737), (11346, 12249, 5927, 6830, 3218, 4121)),
    4: ((24084, 12042, 6021), (30952, 32458, 15900, 17405, 8373, 9878)),
}


@pytest.mark.parametrize("stage", ROWS)
def test_candidates(stage):
    """Multiply-adds of every candidate in thousands: facts/mobile_space.md, section 5."""
    first, repeat, *_ = count_chain("madds", MOBILENEXT).of_stage(stage)
    for costs, expected in zip((first, repeat), ROWS[stage], strict=True):
        assert [round(cost / 1000) for cost in costs.values()] == list(expected)


def test_equal_costs_to_the_unit():
    """In the repeats of 192, t 6 with k 3 and t 12 with k 5 cost the same."""
    repeat = count_chain("madds", MOBILENEXT).of_stage(0)[1]
    assert repeat["sandglass_t6_k3"] == repeat["sandglass_t12_k5"] == 12_343_296


def test_small_settings():
    """64 x 64, 10 classes, half the width: 5.03, 8.34 and 15.18 M; 0.48, 0.88 and 1.60 M."""
    space = load_space("mobilenext_chain_64")
    for quantity, expected in (("madds", (5.03, 8.34, 15.18)), ("parameters", (0.48, 0.88, 1.60))):
        table = count_chain(quantity, space, num_classes=10)
        low, high = table.bounds()
        middle = table.of(uniform(6, 3, DEPTHS))
        assert tuple(round(cost / 1e6, 2) for cost in (low, middle, high)) == expected


def test_other_images_and_classes():
    """Parameters do not depend on the size of images; classes cost features + 1 each."""
    small = count_chain("parameters", MOBILENEXT, image_size=32, num_classes=10, in_channels=1)
    large = count_chain("parameters", MOBILENEXT)
    assert small.layers == large.layers
    assert large.fixed - small.fixed == 990 * 1281 + 2 * 32 * 9


def test_what_is_counted_is_named():
    with pytest.raises(ConfigError, match="quantity: 'madd' is unknown; did you mean 'madds'"):
        count_chain("madd", MOBILENEXT)
