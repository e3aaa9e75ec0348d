"""The identity tensor multiplier: a shortcut for the first channels only.

Source: MobileNeXt (arXiv:2007.02269), Sec. 3.3, Eq. 4.
"""

from fractions import Fraction

from torch import Tensor


def identity_channels(channels: int, identity_ratio: float | Fraction) -> int:
    """Return floor(channels * identity_ratio), exactly also for 1/3 and 1/6 given as floats."""
    # 1/3 as a float is a little less than a third: 192 * (1/3) may floor to 63.
    return int(channels * Fraction(identity_ratio).limit_denominator(1000))


def add_identity(residual: Tensor, x: Tensor, channels: int) -> Tensor:
    """Add the first `channels` channels of x to those of the residual.

    y[:, :k] = residual[:, :k] + x[:, :k] and y[:, k:] = residual[:, k:].

    The sum is done in place, so that no tensor is copied or made: `residual` must be the fresh
    output of a layer whose backward pass does not read it (BatchNorm, or a ReLU6 that is not in
    place). autograd and torch.compile both follow it.

    Args:
        residual: (N, C, H, W).
        x: (N, C, H, W).
        channels: k, in [0, C].
    """
    if channels == residual.shape[1]:
        return residual.add_(x)
    if channels:
        residual[:, :channels].add_(x[:, :channels])
    return residual
