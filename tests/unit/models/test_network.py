"""The evaluation network in forms that the golden files do not have."""

import pytest
import torch
import torch._dynamo.testing

from nas.errors import ConfigError, GenotypeError
from nas.genotype import Genotype, load_genotype
from nas.layers import drop_path
from nas.models import GenotypeNetwork
from nas.models.cell import GenotypeCell

PAIR = (("skip_connect", 0), ("sep_conv_3x3", 1))


def genotype(normal=(PAIR,), normal_concat=(2,), reduce=(PAIR,), reduce_concat=(2,)):
    return Genotype(normal, normal_concat, reduce, reduce_concat)


def network(cells, **settings):
    torch.manual_seed(0)
    return GenotypeNetwork(cells, init_channels=4, num_cells=4, **settings)


def test_what_comes_out():
    """Logits in eval; logits and auxiliary logits in training, where there is such a head."""
    net = network(genotype(), num_classes=7)
    x = torch.randn(2, 3, 32, 32)
    assert net.eval()(x).shape == (2, 7)
    logits, aux_logits = net.train()(x)
    assert logits.shape == aux_logits.shape == (2, 7)
    assert network(genotype(), auxiliary=False).train()(x).shape == (2, 10)


def test_auxiliary_parameters_say_so():
    """Their names start with "auxiliary", and without the head there are none."""
    extra = {name for name, _ in network(genotype()).named_parameters()} - {
        name for name, _ in network(genotype(), auxiliary=False).named_parameters()
    }
    assert extra and all(name.startswith("auxiliary") for name in extra)


@pytest.mark.parametrize(
    "cells",
    [
        genotype(normal=(PAIR,) * 5, normal_concat=(3, 5, 6)),
        genotype(normal=((("max_pool_3x3", 1), ("avg_pool_3x3", 1)),)),
        genotype(normal=((("none", 0), ("sandglass_3x3", 1)),)),
        genotype(normal=((("conv_7x1_1x7", 0),),), normal_concat=(0, 2)),
        genotype(reduce=((("inverted_residual_3x3", 0), ("dil_conv_5x5", 1)),) * 2),
    ],
    ids=["5 nodes, skipping concat", "same source", "none", "input in concat", "two in reduce"],
)
def test_other_cells(cells):
    """Forms of published cells outside DARTS run forward and backward."""
    net = network(cells, auxiliary=False)
    net(torch.randn(2, 3, 16, 16)).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_imagenet_stem_divides_by_eight():
    """224 x 224 reaches the first normal cell at 28 x 28."""
    net = network(genotype(), stem="imagenet", num_classes=1000)
    x = torch.randn(1, 3, 64, 64)
    s0 = net.stem0(x)
    assert s0.shape[-1] == 16 and net.stem1(s0).shape[-1] == 8
    assert net.eval()(x).shape == (1, 1000)


class TestDropPath:
    def cell(self, reduction):
        nodes = ((("skip_connect", 0), ("max_pool_3x3", 1)),)
        torch.manual_seed(0)
        return GenotypeCell(nodes, (2,), (4, 4), 4, reduction, False).train()

    def test_identity_is_exempt_at_stride_one(self):
        """With nearly everything dropped, the skip connection still passes."""
        cell = self.cell(reduction=False)
        x = torch.randn(8, 4, 8, 8)
        y = cell(x, x, 1 - 1e-9)
        torch.testing.assert_close(y, cell.preprocess0(x))

    def test_a_strided_skip_is_dropped(self):
        """At stride 2 a skip connection has weights, and is dropped like the others."""
        cell = self.cell(reduction=True)
        x = torch.randn(8, 4, 8, 8)
        assert cell(x, x, 1 - 1e-9).abs().max() == 0

    def test_not_in_eval_and_zero_until_set(self):
        """A new network drops nothing, and no network does in eval mode."""
        net = network(load_genotype("DARTS_V2"), auxiliary=False)
        assert net.drop_path_prob == 0
        x = torch.randn(4, 3, 16, 16)
        expected = net.eval()(x)
        net.drop_path_prob = 0.9
        assert torch.equal(net(x), expected)
        assert not torch.allclose(net.train()(x), net(x))

    @pytest.mark.slow
    def test_a_compiled_network_follows_the_probability(self):
        """It is compiled once, drops by the probability that is set, and has no state of it."""
        cell = self.cell(reduction=True)
        x = torch.ones(4000, 4, 2, 2)
        torch.testing.assert_close(cell(x, x, torch.zeros(())), cell(x, x, 0.0))
        kept = drop_path(x, torch.tensor(0.3))
        assert set(kept.unique().tolist()) == {0.0, (1 / torch.tensor(0.7)).item()}
        assert abs((kept != 0).double().mean() - 0.7) < 4 * (0.3 * 0.7 / 4000) ** 0.5
        assert drop_path(x.bfloat16(), torch.tensor(0.3)).dtype is torch.bfloat16

        net = network(load_genotype("DARTS_V2"), auxiliary=False).train()
        assert not [name for name in net.state_dict() if "drop" in name]
        images = torch.randn(4, 3, 16, 16)
        expected = net(images)
        compilations = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
        net.compile(backend=compilations)
        torch.testing.assert_close(net(images), expected)
        for prob in (0.3, 0.6, 0.9):
            net.drop_path_prob = prob
            assert not torch.allclose(net(images), net(images))
        assert compilations.frame_count == 1


def test_what_cannot_be_built():
    """An input concatenated in a reduction cell, and an unknown stem."""
    with pytest.raises(GenotypeError, match="resolution"):
        network(genotype(reduce_concat=(0, 2)))
    with pytest.raises(ConfigError, match="cifar, imagenet"):
        network(genotype(), stem="mnist")
