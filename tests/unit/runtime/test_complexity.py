"""Costs by layer add up and are those of the closed form."""

import torch
from torch import nn

from nas.genotype import load_genotype
from nas.models import GenotypeNetwork
from nas.runtime.complexity import count_madds, count_parameters, measure_cost


def test_layers_in_closed_form():
    """A strided convolution, a grouped one, a BatchNorm and a linear layer, by hand."""
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False)),
        nn.BatchNorm2d(8),
        nn.Flatten(),
        nn.Linear(8 * 5 * 7, 11),
    )
    cost = measure_cost(net, (3, 9, 13))
    found = {x.name: (x.kind, x.output_shape, x.num_parameters, x.madds) for x in cost.layers}
    assert found == {
        "0": ("Conv2d", (8, 5, 7), 8 * 27 + 8, 8 * 27 * 35),
        "1.1": ("Conv2d", (8, 5, 7), 8 * 2 * 9, 8 * 2 * 9 * 35),
        "2": ("BatchNorm2d", (8, 5, 7), 16, 0),
        "4": ("Linear", (11,), 280 * 11 + 11, 280 * 11),
    }
    assert cost.num_parameters == sum(x.num_parameters for x in cost.layers)
    assert cost.madds == sum(x.madds for x in cost.layers)


def test_the_network_of_darts_by_layer():
    """The layers of a real network sum to its golden totals, the head apart."""
    with torch.device("meta"):
        net = GenotypeNetwork(load_genotype("DARTS_V2"))
    cost = measure_cost(net, (3, 32, 32))
    head = [layer for layer in cost.layers if layer.name.startswith("auxiliary")]
    assert sum(x.madds for x in cost.layers) == cost.madds == count_madds(net, (3, 32, 32))
    assert sum(x.num_parameters for x in cost.layers) == count_parameters(net)
    assert cost.num_parameters == 3_349_342  # golden
    with_head = cost.num_parameters + sum(layer.num_parameters for layer in head)
    assert cost.num_parameters_with_auxiliary == with_head
    assert all(layer.output_shape == () and layer.madds == 0 for layer in head)
