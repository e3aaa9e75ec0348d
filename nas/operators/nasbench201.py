"""The operators of NAS-Bench-201 that the DARTS space does not have.

`none` and `skip_connect` are the same in both. The benchmark's `avg_pool_3x3` has no BatchNorm
behind it in a search, unlike that of DARTS; here it is `plain_avg_pool_3x3`, and architecture
strings keep its name.

Source: NAS-Bench-201 (arXiv:2001.00326), Sec. 2.1 and its code.
"""

from torch import nn

from nas.layers import ReLUConvBN, avg_pool
from nas.operators.registry import register_operator

_SOURCE = "NAS-Bench-201 (arXiv:2001.00326), Sec. 2.1"


@register_operator("nor_conv_1x1", source=_SOURCE, relu_first=True, norm_last=True)
def _nor_conv_1x1(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return ReLUConvBN(channels, channels, 1, stride, affine=affine)


@register_operator("nor_conv_3x3", source=_SOURCE, relu_first=True, norm_last=True)
def _nor_conv_3x3(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return ReLUConvBN(channels, channels, 3, stride, affine=affine)


@register_operator("plain_avg_pool_3x3", source=_SOURCE, parameter_free=True)
def _plain_avg_pool_3x3(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return avg_pool(stride)
