"""The different layers of a chain: all that networks have, each once."""

import pytest

from nas.genotype import random_chain
from nas.space import load_chain_space
from nas.space.chain_layers import HEAD, STEM, LayerAt, head_of, layers_of_chain, stem_of

SPACE = load_chain_space("mobilenext_chain_64")


@pytest.mark.parametrize("name", ["mobilenext_chain_64", "mobilenetv2_chain_32"])
def test_every_layer_of_every_network_is_there_once(name):
    """Stem, blocks with the size of their input, and head; nothing twice."""
    space = load_chain_space(name)
    layers = layers_of_chain(space, 10)
    assert len(set(layers)) == len(layers)
    used = {stem_of(space), head_of(space, 10)}
    for seed in range(200):
        used |= {LayerAt(block, size) for *_, block, size in random_chain(space, seed).placed()}
    assert used == set(layers)


def test_stem_and_head():
    """Of images of 64 x 64 at half the width, 10 classes: by hand."""
    stem, head = stem_of(SPACE), head_of(SPACE, 10)
    assert (stem.block.kind, head.block.kind) == (STEM, HEAD)
    assert (stem.block.in_channels, stem.block.out_channels, stem.size, stem.out_size) == (
        *(3, 16),
        *(64, 32),
    )
    assert (head.block.in_channels, head.block.out_channels, head.size) == (1280, 10, 2)
    assert stem_of(SPACE, 1).block.in_channels == 1
    assert head_of(SPACE.at_size(96), 10).size == 3


def test_in_words():
    layer = next(layer for layer in layers_of_chain(SPACE, 10) if layer.block.has_shortcut)
    assert layer.text() == "sandglass 96 -> 32 -> 96, kernel 3, at 8 x 8"
    assert stem_of(SPACE).text() == "stem 3 -> 16, kernel 3, stride 2, at 64 x 64"
