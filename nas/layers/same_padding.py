"""Convolution with the padding that TensorFlow calls SAME.

Source: EfficientNet (arXiv:1905.11946), its code; used by the SE models of MobileNeXt.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class SameConv2d(nn.Conv2d):
    """A convolution with the padding of TensorFlow: an odd zero goes to the bottom and right.

    (N, C_in, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride)). On an even size a stride of
    2 pads (0, 1) for a 3x3 and (1, 2) for a 5x5 kernel, where `padding=kernel_size // 2` would pad
    evenly and so look at other pixels.

    Deviation: the padding follows the tensor; the released code fixes it for one image size when
    the network is built. At that size the two are equal.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, groups: int = 1
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Pad and convolve."""
        left, right = self._padding(x.shape[-1])
        top, bottom = self._padding(x.shape[-2])
        return super().forward(F.pad(x, (left, right, top, bottom)))

    def _padding(self, size: int) -> tuple[int, int]:
        """Return the zeros before and after an axis of `size` pixels."""
        kernel_size, stride = self.kernel_size[0], self.stride[0]
        # total = (ceil(size / s) - 1) * s + k - size
        total = max(0, (-(-size // stride) - 1) * stride + kernel_size - size)
        return total // 2, total - total // 2
