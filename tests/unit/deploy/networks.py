"""Networks small enough to be exported in a test."""

from fractions import Fraction

import torch
from torch import nn

from nas.deploy.metadata import Metadata
from nas.models.mobilenext import MobileNeXt
from nas.models.mobilenext_table import BlockSpec

SIZE = 32
METADATA = Metadata(
    model={"model": "small", "num_classes": 5},
    weights="random",
    classes=None,
    dataset="shapes",
    image_size=SIZE,
    mean=[0.5] * 3,
    std=[0.25] * 3,
)


def small_mobilenext(ratio=1):
    """Seven blocks; two chains of shortcuts, one ended by a transition, one by the classifier."""
    ratio = Fraction(ratio)
    specs = [
        BlockSpec(8, 4, 12, 2, is_transition=True),
        BlockSpec(12, 2, 12, 1, identity_ratio=ratio),
        BlockSpec(12, 2, 12, 1, identity_ratio=ratio),
        BlockSpec(12, 4, 18, 2, is_transition=True),
        BlockSpec(18, 3, 18, 2),
        BlockSpec(18, 3, 24, 2),
        BlockSpec(24, 4, 24, 1, identity_ratio=ratio),
    ]
    torch.manual_seed(0)
    return lively(MobileNeXt(8, specs, num_classes=5))


def lively(net):
    """Give BatchNorms statistics and scales that are not those of the beginning, in place."""
    generator = torch.Generator().manual_seed(1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            if module.affine:
                module.weight.data.uniform_(0.8, 1.6, generator=generator)
                module.bias.data.normal_(0, 0.3, generator=generator)
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(0, 0.1, generator=generator)
    return net.eval()


def images(num_images=4, size=SIZE):
    """Normal pixels."""
    return torch.randn(num_images, 3, size, size, generator=torch.Generator().manual_seed(2))
