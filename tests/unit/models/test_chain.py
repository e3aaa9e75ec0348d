"""Networks of chains: MobileNeXt and MobileNetV2 as points, others against counting what runs."""

import pytest
import torch

from nas.errors import ConfigError
from nas.genotype import Chain, random_chain
from nas.models import build_network, load_weights
from nas.models.chain import ChainNetwork
from nas.runtime.complexity import count_madds, count_parameters
from nas.space import list_spaces, load_chain_space, load_space
from nas.space.chain_cost import count_chain
from tests.golden import fill

WIDTHS = ("1.4", "1.0", "0.75", "0.5", "0.35")
COUNTS = {
    # Multiply-adds and parameters at each width, counted by running other code; those of
    # MobileNetV2 but one are known to three digits of a million.
    "mobilenext": (
        (588_319_256, 6_126_168),
        (311_342_592, 3_535_416),
        (207_926_720, 2_766_168),
        (103_256_448, 2_152_304),
        (75_141_032, 1_913_976),
    ),
    "mobilenet_v2": (
        (582_196_000, 6_108_776),
        (300_774_272, 3_504_872),
        (209_070_000, 2_636_424),
        (97_132_000, 1_968_680),
        (59_286_000, 1_677_128),
    ),
}
POINTS = {
    "mobilenext": ("mobilenext_chain", "sandglass_t6_k3", (3, 3, 4, 4, 3)),
    "mobilenet_v2": ("mobilenetv2_chain", "inverted_residual_e6_k3", (2, 3, 4, 3, 3, 1)),
}
CHAINS = [name for name in list_spaces() if load_space(name).family == "chain"]
QUICK = ("mobilenext_blocks", "mobilenext_chain_32", "mobilenetv2_chain_64")


def point(family, width="1.0"):
    space, candidate, depths = POINTS[family]
    return Chain.uniform(load_chain_space(space).at_width(float(width)), candidate, depths)


def on_meta(build):
    with torch.device("meta"):
        return build()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("family", POINTS)
def test_released_networks_are_points(family, width):
    """At five widths: names, order and shapes of all weights, and both counts."""
    chain = point(family, width)
    ours = on_meta(lambda: ChainNetwork(chain))
    theirs = on_meta(lambda: build_network(f"{family}_{width}"))
    shapes = {name: tensor.shape for name, tensor in theirs.state_dict().items()}
    assert {name: tensor.shape for name, tensor in ours.state_dict().items()} == shapes
    assert list(ours.state_dict()) == list(shapes)
    assert ours.feature_info == theirs.feature_info
    madds, parameters = COUNTS[family][WIDTHS.index(width)]
    assert chain.count("parameters") == parameters
    assert abs(chain.count("madds") - madds) <= (0 if madds % 1000 else 500)


@pytest.mark.parametrize(
    "width", [w if w == "0.5" else pytest.param(w, marks=pytest.mark.slow) for w in WIDTHS]
)
@pytest.mark.parametrize("family", POINTS)
@torch.no_grad()
def test_released_networks_have_the_same_logits(family, width):
    """Weights by the rule of the golden files, in float64; the golden logits are compared there."""
    images, _ = fill.batch(2, 0, 32)
    ours = fill.fill_weights(ChainNetwork(point(family, width))).eval()
    theirs = fill.fill_weights(build_network(f"{family}_{width}")).eval()
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in CHAINS]
)
def test_costs_are_those_of_the_network(name):
    """Random networks of every chain, counted layer by layer and as a whole."""
    space = load_chain_space(name)
    chain = random_chain(space, 0)
    net = on_meta(lambda: ChainNetwork(chain, num_classes=7))
    assert chain.count("parameters", num_classes=7) == count_parameters(net)
    size = space.reduction + 1  # odd, so that sizes are rounded up
    assert chain.count("madds", size, 7) == count_madds(net, (3, size, size))


def test_gray_images_are_counted_too():
    space = load_chain_space("mobilenext_chain_32")
    chain = random_chain(space, 0)
    net = on_meta(lambda: ChainNetwork(chain, in_channels=1, num_classes=3))
    found = count_chain("madds", space, None, 3, in_channels=1).of(chain.stages)
    assert found == count_madds(net, (1, 32, 32))


@torch.no_grad()
def test_a_checkpoint_of_mobilenext_loads(tmp_path):
    """The layers have the names of the released network."""
    theirs = build_network("mobilenext_0.35", num_classes=4).eval()
    torch.save(theirs.state_dict(), tmp_path / "weights.pt")
    ours = ChainNetwork(point("mobilenext", "0.35"), num_classes=4).eval()
    assert load_weights(ours, tmp_path / "weights.pt") == []
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(ours(images), theirs(images))


def test_settings_reach_the_network():
    chain = point("mobilenext")
    net = on_meta(lambda: ChainNetwork(chain, 1, 5, identity_ratio="1/3", dropout=0))
    assert net.features[4].shortcut_channels == 64
    assert net.features[0][0].in_channels == 1
    assert net.classifier[0].p == 0 and net.classifier[1].out_features == 5
    with pytest.raises(ConfigError, match="identity_ratio: 2 is out of range"):
        ChainNetwork(chain, identity_ratio=2)


def test_a_network_that_divides_by_8_takes_small_images():
    """The variant for 32 x 32 has maps of stride 4 and 8 only, and says what is too small."""
    net = ChainNetwork(random_chain(load_chain_space("mobilenext_chain_32"), 0)).eval()
    assert [m.shape[-1] for m in net.feature_maps(torch.zeros(1, 3, 24, 24))] == [6, 3]
    assert [info["reduction"] for info in net.feature_info] == [4, 8]
    with pytest.raises(ConfigError, match="images of 7 x 8 are too small: the network divides th"):
        net(torch.zeros(1, 3, 7, 8))
