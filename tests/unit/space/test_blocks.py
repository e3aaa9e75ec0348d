"""The blocks of a chain: what a candidate becomes in a layer, and which candidates are one."""

import pytest

from nas.space.blocks import BLOCK_KINDS, Candidate, distinct

SANDGLASS = [Candidate("sandglass", ratio, kernel) for ratio in (3, 6, 12) for kernel in (3, 5)]


def test_names_say_block_ratio_kernel_and_se():
    """A letter says what the ratio does; a block without one is only its kind."""
    assert Candidate("sandglass", 6, 5).name == "sandglass_t6_k5"
    assert Candidate("inverted_residual", 3, 7, se=True).name == "inverted_residual_e3_k7_se"
    assert Candidate("conv").name == "conv"


@pytest.mark.parametrize(
    ("ratio", "channels", "hidden"),
    [
        (3, (144, 192), 64),
        (6, (144, 192), 32),
        (12, (144, 192), 16),
        (3, (192, 288), 96),
        (6, (192, 288), 48),
        (12, (192, 288), 32),
        (12, (288, 288), 24),
        (12, (960, 960), 80),
        (6, (48, 64), 16),  # width 0.35
        (6, (64, 64), 16),
    ],
)
def test_the_bottleneck_of_a_layer(ratio, channels, hidden):
    """M // t, or N / t rounded to a multiple of 16 where that is more: the released rule."""
    assert Candidate("sandglass", ratio).block_at(*channels, 1).hidden_channels == hidden


def test_a_fixed_sandglass_has_the_floor_of_the_released_model():
    """The block of 96 channels with t = 2 has 16 inside, not 48, and both its convolutions."""
    block = Candidate("sandglass", 2).block_at(32, 96, 2, is_fixed=True)
    assert (block.kind, block.hidden_channels) == ("sandglass", 16)
    assert [conv.groups for conv in block.convs()] == [32, 1, 1, 96]
    last = Candidate("sandglass", 6).block_at(960, 1280, 1, is_fixed=True)
    assert last.hidden_channels == 208


def test_the_first_layer_of_a_stage_has_no_kernel_at_stride_1():
    """Six candidates at stride 2 are three at stride 1, under the names of the first ones."""
    at_stride_2, merged = distinct(tuple(SANDGLASS), 192, 288, 2)
    assert list(at_stride_2) == [one.name for one in SANDGLASS] and not merged
    at_stride_1, merged = distinct(tuple(SANDGLASS), 288, 384, 1)
    assert list(at_stride_1) == [f"sandglass_t{ratio}_k3" for ratio in (3, 6, 12)]
    assert merged == {f"sandglass_t{t}_k5": f"sandglass_t{t}_k3" for t in (3, 6, 12)}
    assert all(block.kernel == 0 for block in at_stride_1.values())


def test_the_blocks_of_fig_4_are_one_at_the_first_layer():
    """There (a) and (b) have one depthwise convolution at stride 2, and none at stride 1."""
    three = tuple(Candidate(block, 6) for block in ("sandglass", "fig4a", "fig4b"))
    assert list(distinct(three, 192, 288, 2)[0]) == ["sandglass_t6_k3", "fig4a_t6_k3"]
    assert list(distinct(three, 288, 384, 1)[0]) == ["sandglass_t6_k3"]
    assert len(distinct(three, 288, 288, 1)[0]) == 3


def test_small_widths_make_two_ratios_one():
    """At width 0.35 the floor of 16 channels binds for t 6 and t 12."""
    blocks, merged = distinct(tuple(SANDGLASS), 48, 64, 2)
    assert list(blocks)[2:] == ["sandglass_t6_k3", "sandglass_t6_k5"]
    assert merged["sandglass_t12_k5"] == "sandglass_t6_k5"


@pytest.mark.parametrize("block", [name for name, k in BLOCK_KINDS.items() if k.can_be_searched])
def test_a_shortcut_needs_equal_widths_and_stride_1(block):
    """The repeats of a stage have one, its first layer has none."""
    candidate = Candidate(block, 6)
    assert candidate.block_at(48, 48, 1).has_shortcut
    assert not candidate.block_at(48, 48, 2).has_shortcut
    assert not candidate.block_at(40, 48, 1).has_shortcut


def test_squeeze_and_excitation_counts_on_one_pixel():
    """Two pointwise convolutions with biases on C channels: 2 C q multiply-adds."""
    for block, channels, squeezed in (("sandglass", 192, 8), ("inverted_residual", 1152, 288)):
        plain = Candidate(block, 6).block_at(192, 192, 1)
        squeezing = Candidate(block, 6, se=True).block_at(192, 192, 1)
        assert squeezing.squeeze_channels == squeezed
        costs = zip(squeezing.cost(14), plain.cost(14), strict=True)
        more = [with_se - without for with_se, without in costs]
        assert more == [2 * channels * squeezed, 2 * channels * squeezed + channels + squeezed]
