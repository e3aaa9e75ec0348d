"""A network's layers as short strings, so that a test can hold them against a table."""

from torch import nn


def layers_of(module):
    """Return "dw3 s2 576", "pw 576-96", "bn", "relu6", ... in the order of registration."""
    return [word for m in module.modules() if (word := _word(m))]


def _word(module):
    if isinstance(module, nn.BatchNorm2d):
        return "bn"
    if isinstance(module, nn.ReLU6 | nn.SiLU):
        return type(module).__name__.lower()
    if not isinstance(module, nn.Conv2d):
        return None
    size, stride = module.kernel_size[0], module.stride[0]
    strided = f" s{stride}" if stride > 1 else ""
    if module.groups == module.in_channels == module.out_channels:
        return f"dw{size}{strided} {module.in_channels}"
    kind = "pw" if size == 1 else f"conv{size}"
    groups = f" g{module.groups}" if module.groups > 1 else ""
    return f"{kind}{strided}{groups} {module.in_channels}-{module.out_channels}"
