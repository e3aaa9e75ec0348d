"""How the widths of mobile networks are rounded (no torch)."""


def round_channels(channels: float, divisor: int = 8) -> int:
    """Round to the nearest multiple of `divisor`, but not below 90 % of `channels`.

    Source: MobileNetV2 (arXiv:1801.04381), its code.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
