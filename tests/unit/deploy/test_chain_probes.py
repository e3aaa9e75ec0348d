"""Layers between two ends: where times add up, the sum of what is left is exact."""

import random

import pytest
import torch
from torch import nn

from nas.deploy.chain_probes import build_probe, input_of, latency_of, name_of, probes_of
from nas.genotype import random_chain
from nas.models.chain import ChainNetwork
from nas.models.chain_latency import chain_costs
from nas.space import load_chain_space
from nas.space.chain_layers import layers_of_chain


class Machine:
    """Times that add up: each part costs another number, and so do entering and leaving."""

    def __init__(self):
        self._generator = random.Random(0)
        self._costs = {}

    def _cost(self, *key):
        return self._costs.setdefault(key, self._generator.uniform(0.1, 1))

    @torch.no_grad()
    def time(self, parts, x):
        """Of a network whose parts are called one after the other on x, (1, C, H, W)."""
        total = self._cost("enter", x.shape)
        for part in parts:
            total += self._cost(_kind(part), x.shape)
            x = part(x)
        return total + self._cost("leave", x.shape)


def _kind(part):
    """The same text for the same layer, whoever built it."""
    modules = list(part.modules())
    is_head = any(isinstance(module, nn.Linear) for module in modules)
    return "head" if is_head else repr(part)


@pytest.mark.parametrize("name", ["mobilenext_chain_32", "mobilenetv2_chain_32"])
def test_the_sum_is_the_time_of_the_network(name):
    """To rounding, with entering and leaving that differ for every shape."""
    space = load_chain_space(name)
    layers, machine = layers_of_chain(space, 10), Machine()
    times = {}
    for probe in probes_of(layers):
        channels, size = input_of(probe)
        times[probe] = machine.time(build_probe(probe).eval(), torch.zeros(1, channels, size, size))
    costs = chain_costs({layer: latency_of(layer, times) for layer in layers}, space, 10)
    for seed in range(3):
        chain = random_chain(space, seed)
        net = ChainNetwork(chain, num_classes=10).eval()
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), net.classifier)
        image = torch.zeros(1, 3, space.image_size, space.image_size)
        assert costs.of(chain.stages) == pytest.approx(
            machine.time([*net.features, head], image), rel=1e-12
        )


def test_names_differ():
    probes = probes_of(layers_of_chain(load_chain_space("mobilenext_blocks"), 10))
    assert len({name_of(probe) for probe in probes}) == len(set(probes)) == len(probes)
