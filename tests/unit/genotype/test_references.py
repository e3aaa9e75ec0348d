"""The published networks that chains are compared with."""

import pytest

from nas.genotype import Chain
from nas.genotype.references import WIDTHS, as_point_of, references
from nas.space import load_chain_space

MADDS = {
    "MobileNeXt": (75_141_032, 103_256_448, 207_926_720, 311_342_592, 588_319_256),
    "MobileNetV2": (None, None, None, 300_774_272, None),
}
"""At 224 x 224; of MobileNeXt those of the released networks, by width."""


def test_they_are_the_released_networks():
    found = {one.label: one.chain.count("madds") for one in references()}
    assert len(found) == len(MADDS) * len(WIDTHS)
    for name, counts in MADDS.items():
        for width, count in zip(WIDTHS, counts, strict=True):
            assert count is None or found[f"{name} {width:g}"] == count


@pytest.mark.parametrize(
    ("space", "inside"),
    [
        ("mobilenext_chain", ["MobileNeXt 1"]),
        ("mobilenext_chain_64", ["MobileNeXt 0.5"]),
        ("mobilenetv2_chain", ["MobileNetV2 1"]),
        ("mobilenext_chain_32", []),  # other strides: another network
    ],
)
def test_which_are_networks_of_a_space(space, inside):
    """One at the width of the space, with the same blocks and the same cost."""
    space = load_chain_space(space)
    points = {one.label: as_point_of(space, one.chain) for one in references()}
    assert [label for label, point in points.items() if point] == inside
    for one in references():
        if point := points[one.label]:
            assert point.space == space
            for quantity in ("madds", "parameters"):
                assert point.count(quantity, 64, 10) == one.chain.count(quantity, 64, 10)


def test_another_stem_is_another_network():
    """Though all blocks are the same."""
    space = load_chain_space("mobilenext_chain")
    chain = Chain.uniform(space, "sandglass_t6_k3", (1, 1, 1, 1, 1))
    assert as_point_of(space, chain) == chain
    assert as_point_of(space.at_width(0.9), chain) is None
