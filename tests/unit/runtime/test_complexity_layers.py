"""Counting parameters and multiply-adds of single layers."""

import pytest
import torch
from torch import nn

from nas.runtime.complexity import count_madds, count_parameters


class TestComplexity:
    @pytest.mark.parametrize("groups", [1, 2, 4])
    @pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
    def test_closed_form(self, groups, stride, dilation):
        """K * k * C_in / groups * C_out * H * W for a convolution, in * out for a linear layer."""
        model = nn.Sequential(
            nn.Conv2d(4, 8, 3, stride, dilation, dilation, groups),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 5),
        )
        side = 10 // stride
        assert count_madds(model, (4, 10, 10)) == 9 * 4 // groups * 8 * side * side + 8 * 5
        assert count_parameters(model) == 9 * 4 // groups * 8 + 8 + 16 + 8 * 5 + 5

    def test_the_model_is_not_touched(self):
        """Neither its mode nor its statistics nor its device change."""
        model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
        before = {key: value.clone() for key, value in model.state_dict().items()}
        count_madds(model, (3, 4, 4))
        assert model.training and all(p.device.type == "cpu" for p in model.parameters())
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
