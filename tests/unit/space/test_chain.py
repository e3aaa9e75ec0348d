"""The record of a chain: its rows, its sizes, its networks and its widths."""

from itertools import product

import pytest

from nas.space import load_space
from nas.space.blocks import Candidate
from nas.space.chain import ChainSpace, Stage, Stem

MOBILENEXT = load_space("mobilenext_chain")
CHAINS = ["mobilenext_chain", "mobilenetv2_chain", "mobilenext_blocks"]


def test_the_rows_of_mobilenext():
    """Three first layers with 6 candidates, two with 3, fifteen repeats with 6; five depths."""
    rows = MOBILENEXT.groups["layers"]
    assert [len(rows[4 * stage]) for stage in range(5)] == [6, 6, 3, 6, 3]
    repeats = [len(row) for index, row in enumerate(rows) if index % 4]
    assert repeats == [6] * 15
    assert MOBILENEXT.groups["depths"] == (("1", "2", "3", "4"),) * 5
    assert [layer.in_size for layer in MOBILENEXT.layers[::4]] == [56, 28, 14, 14, 7]
    assert [layer.out_size for layer in MOBILENEXT.layers[::4]] == [28, 14, 14, 7, 7]


@pytest.mark.parametrize("name", CHAINS)
def test_masks_and_columns_fit_the_rows(name):
    """A row has exactly the columns that its mask says."""
    space = load_space(name)
    for group, rows in space.groups.items():
        columns = space.columns(group)
        for row, mask in zip(rows, space.mask(group), strict=True):
            assert tuple(c for c, present in zip(columns, mask, strict=True) if present) == row


def test_depth_rows_may_differ():
    """The last stage of MobileNetV2 has one layer, so its row has one column of four."""
    space = load_space("mobilenetv2_chain")
    assert space.columns("depths") == ("1", "2", "3", "4")
    assert space.mask("depths")[-1] == (True, False, False, False)
    assert len(space.layers) == 21


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("mobilenext_chain", 6**3 * 3**2 * 259**5),
        ("mobilenetv2_chain", 6**6 * 259**5),
        ("mobilenext_blocks", 4**3 * 259**5),
    ],
)
def test_the_number_of_networks(name, number):
    """The closed forms, 259 = 1 + 6 + 36 + 216."""
    assert load_space(name).num_networks == number


def test_the_number_of_networks_is_that_of_an_enumeration():
    """A tiny chain, whose networks can be listed: different lists of blocks."""
    candidates = tuple(Candidate("sandglass", t, k) for t in (2, 4) for k in (3, 5))
    stages = (Stage(16, 2, (1, 3), candidates), Stage(24, 1, (2,), candidates[:3]))
    space = ChainSpace("tiny", Stem(8, 1), (), stages, (), image_size=32)
    networks = set()
    for depths in product(*(stage.depths for stage in stages)):
        rows = [layer for n, depth in enumerate(depths) for layer in space.layers_of(n)[:depth]]
        for names in product(*([c.name for c in stages[layer.stage].candidates] for layer in rows)):
            kept = [
                layer.blocks[layer.merged.get(name, name)]
                for layer, name in zip(rows, names, strict=True)
            ]
            networks.add((depths, tuple(kept)))
    assert space.num_networks == len(networks) == (2 + 32) * 3


@pytest.mark.parametrize(
    ("width_mult", "stem", "widths", "last"),
    [
        (1.4, 48, [272, 400, 536, 808, 1344], 1792),
        (0.75, 24, [144, 216, 288, 432, 720], 1280),
        (0.35, 16, [64, 104, 136, 200, 336], 1280),
    ],
)
def test_widths_are_those_of_the_released_models(width_mult, stem, widths, last):
    """Stem and stages of the released code; the last block is never narrower than 1280."""
    space = MOBILENEXT.at_width(width_mult)
    firsts = [next(iter(layer.blocks.values())) for layer in space.layers[::4]]
    assert space.stem_channels == stem
    assert [block.out_channels for block in firsts] == widths
    assert space.num_features == last


def test_ratios_that_are_one_at_a_small_width_are_named():
    """At width 0.5 that is the first layer of 192; at 0.75 and above there is none."""
    assert MOBILENEXT.merged() == MOBILENEXT.at_width(0.75).merged() == ()
    assert MOBILENEXT.at_width(0.5).merged() == tuple(
        f"stage 0 (width 96), layer 0: sandglass_t12_k{k} is the same block as sandglass_t6_k{k}"
        for k in (3, 5)
    )
    # At 0.35 t 12 is t 6 in all layers of 64 channels, and t 6 is t 3 in those of 104: 32 inside.
    merged = MOBILENEXT.at_width(0.35).merged()
    assert len(merged) == 2 * 4 + 2 * 4
    assert "sandglass_t6_k3 is the same block as sandglass_t3_k3" in merged[-2]


@pytest.mark.parametrize(
    ("name", "reduction", "last"),
    [("mobilenext_chain", 32, 7), ("mobilenext_chain_64", 32, 2), ("mobilenext_chain_32", 8, 4)],
)
def test_the_small_variants_end_with_pixels(name, reduction, last):
    """The variant for 32 x 32 starts with two strides of 1."""
    space = load_space(name)
    assert space.reduction == reduction
    assert space.layers[-1].out_size == last
