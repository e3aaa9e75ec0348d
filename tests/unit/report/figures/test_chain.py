"""The picture of a chain: outlines with the channels of the blocks, absent layers, labels."""

import pytest
from matplotlib.patches import Polygon, Rectangle

from nas.genotype import Chain
from nas.report.figures.chain import chain_figure, draw_chain
from nas.space import load_chain_space


def parts(chain):
    (axes,) = chain_figure(chain).axes
    outlines = [patch.get_xy() for patch in axes.patches if isinstance(patch, Polygon)]
    absent = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return outlines, absent, [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(
    ("name", "candidate", "depths", "inside"),
    [
        ("mobilenext_chain", "sandglass_t6_k3", (3, 3, 4, 4, 3), 32),
        ("mobilenetv2_chain", "inverted_residual_e6_k3", (2, 3, 4, 3, 3, 1), 96),
    ],
)
def test_thickness_is_the_number_of_channels(name, candidate, depths, inside):
    """Before, inside and after every block; stem and fixed blocks are drawn too."""
    chain = Chain.uniform(load_chain_space(name), candidate, depths)
    outlines, absent, _ = parts(chain)
    drawn = [[2 * y for _, y in outline[:4]] for outline in outlines]
    assert len(drawn) == 1 + len(chain.blocks)
    for block, (begin, first, second, end) in zip(chain.blocks, drawn[1:], strict=True):
        assert (begin, end) == (block.in_channels, block.out_channels)
        assert first == second == (block.hidden_channels or block.out_channels)
    assert drawn[1 + len(chain.space.first)][1] == inside
    assert len(absent) == len(chain.space.layers) - sum(depths)


def test_labels_say_ratio_kernel_and_kind():
    """A kernel only where there is one; the other blocks of Fig. 4 by their letter."""
    space = load_chain_space("mobilenext_blocks")
    _, _, texts = parts(Chain.uniform(space, "fig4b_t6_k5", (2, 1, 1, 1, 1)))
    assert texts[3:5] == ["t6\nk5\n4a", "t6\nk5\n4b"]
    assert texts[6] == "t6"
    assert "192 channels\n28 x 28\n2 of 4 layers" in texts


def test_files_are_written_in_each_format(tmp_path):
    chain = Chain.uniform(load_chain_space("mobilenext_chain_32"), "sandglass_t3_k3", (1,) * 5)
    paths = draw_chain(chain, tmp_path / "new", ("png", "svg", "pdf"))
    starts = [path.read_bytes()[:4] for path in paths]
    assert starts == [b"\x89PNG", b"<?xm", b"%PDF"]
    assert [path.name for path in paths] == ["chain.png", "chain.svg", "chain.pdf"]


@pytest.mark.parametrize(
    ("search", "num_classes"), [({}, 1000), ({"num_classes": 10}, 10), ({"num_classes": "a"}, 1000)]
)
def test_the_title_counts_with_the_classes_of_the_search(search, num_classes):
    space = load_chain_space("mobilenext_chain_32")
    chain = Chain(space, (("sandglass_t3_k3",),) * 5, search)
    (title,) = [text.get_text() for text in chain_figure(chain).texts]
    madds = chain.count("madds", num_classes=num_classes) / 1e6
    assert f"{madds:.1f} M multiply-adds" in title
    assert title.endswith(f"with {num_classes} classes")


def test_sizes_are_those_of_the_search():
    """In the title and above every stage; the space is made for 32 x 32."""
    space = load_chain_space("mobilenext_chain_32")
    chain = Chain(space, (("sandglass_t3_k3",),) * 5, {"image_size": 96})
    figure = chain_figure(chain)
    (title,) = [text.get_text() for text in figure.texts]
    madds = chain.count("madds", image_size=96) / 1e6
    assert f"{madds:.1f} M multiply-adds at 96 x 96" in title
    (axes,) = figure.axes
    shown = [text.get_text() for text in axes.texts if "channels" in text.get_text()]
    sizes = [space.at_size(96).layers_of(number)[0].out_size for number in range(5)]
    assert [f"\n{size} x {size}\n" in text for size, text in zip(sizes, shown, strict=True)] == [
        True
    ] * 5
