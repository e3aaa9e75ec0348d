"""The operators that come with the project.

Source: DARTS (arXiv:1806.09055), Sec. 3.1, and MobileNeXt (arXiv:2007.02269), Sec. 4.6 and
Appendix B, which adds the inverted residual and the sandglass to the DARTS space.
"""

from torch import nn

from nas.layers import (
    DilConv,
    FactorizedConv,
    FactorizedReduce,
    Noise,
    ReLUConvBN,
    Sandglass,
    SepConv,
    Zero,
    avg_pool,
    inverted_residual,
    max_pool,
)
from nas.operators.registry import register_operator

_DARTS = "DARTS (arXiv:1806.09055), Sec. 3.1"
_REDUCTION_RATIO = 6
_EXPANSION_RATIO = 6


@register_operator("none", source=_DARTS, is_zero=True, parameter_free=True)
def _none(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return Zero(stride)


@register_operator("noise", source="Robust DARTS (arXiv:1909.09656), Sec. 3", is_random=True)
def _noise(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return Noise(stride)


@register_operator(
    "skip_connect",
    source=_DARTS,
    is_identity=True,
    parameter_free=True,
    relu_first=True,
    norm_last=True,
)
def _skip_connect(channels: int, stride: int, *, affine: bool) -> nn.Module:
    if stride == 1:
        return nn.Identity()
    return FactorizedReduce(channels, channels, affine=affine)


@register_operator("max_pool_3x3", source=_DARTS, norm_in_search=True, parameter_free=True)
def _max_pool_3x3(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return max_pool(stride)


@register_operator("avg_pool_3x3", source=_DARTS, norm_in_search=True, parameter_free=True)
def _avg_pool_3x3(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return avg_pool(stride)


@register_operator("sep_conv_3x3", source=_DARTS, relu_first=True, norm_last=True)
def _sep_conv_3x3(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return SepConv(channels, 3, stride, affine=affine)


@register_operator("sep_conv_5x5", source=_DARTS, relu_first=True, norm_last=True)
def _sep_conv_5x5(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return SepConv(channels, 5, stride, affine=affine)


@register_operator("sep_conv_7x7", source=_DARTS, relu_first=True, norm_last=True)
def _sep_conv_7x7(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return SepConv(channels, 7, stride, affine=affine)


@register_operator("dil_conv_3x3", source=_DARTS, relu_first=True, norm_last=True)
def _dil_conv_3x3(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return DilConv(channels, 3, stride, affine=affine)


@register_operator("dil_conv_5x5", source=_DARTS, relu_first=True, norm_last=True)
def _dil_conv_5x5(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return DilConv(channels, 5, stride, affine=affine)


@register_operator("conv_7x1_1x7", source=_DARTS, relu_first=True, norm_last=True)
def _conv_7x1_1x7(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return FactorizedConv(channels, 7, stride, affine=affine)


@register_operator(
    "conv_3x3", source="MobileNeXt (arXiv:2007.02269), Appendix B", relu_first=True, norm_last=True
)
def _conv_3x3(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return ReLUConvBN(channels, channels, 3, stride, affine=affine)


@register_operator(
    "inverted_residual_3x3",
    source="MobileNeXt (arXiv:2007.02269), Table 9; MobileNetV2 (arXiv:1801.04381), Table 1",
    settings={"expansion_ratio": _EXPANSION_RATIO, "hidden_channels": "C * 6"},
)
def _inverted_residual_3x3(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return inverted_residual(
        channels, channels, stride, expansion_ratio=_EXPANSION_RATIO, affine=affine
    )


@register_operator(
    "sandglass_3x3",
    source="MobileNeXt (arXiv:2007.02269), Tables 1 and 9",
    settings={
        "reduction_ratio": _REDUCTION_RATIO,
        "hidden_channels": "max(1, C // 6)",
        "identity_ratio": 1,
    },
)
def _sandglass_3x3(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return Sandglass(channels, channels, stride, reduction_ratio=_REDUCTION_RATIO, affine=affine)
