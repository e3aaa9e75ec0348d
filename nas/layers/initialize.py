"""The first weights of mobile networks."""

from torch import nn


def initialize(model: nn.Module) -> None:
    """Draw the weights as MobileNetV2's and MobileNeXt's code does, in place.

    Convolutions N(0, sqrt(2 / (k * k * C_out))), with C_out also where the convolution is
    depthwise; linear layers N(0, 0.01), biases 0; BatchNorms 1 and 0.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
