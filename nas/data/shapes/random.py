"""Random numbers for drawn images: a hash of (seed, stream, image, position).

The output function of SplitMix64 over a counter. numpy's Generator gives no promise that its
streams stay the same from version to version (NEP 19), and streams that do not depend on how many
images are drawn would take one object an image.

Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_NUM_PARAMETERS = 64
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def image_keys(indices: NDArray[np.int64], stream: int, seed: int) -> NDArray[np.uint64]:
    """Return one key an image, (N, 1)."""
    origin = _mix(np.array([seed], np.uint64) * _GOLDEN + np.uint64(stream))
    return _mix(origin + (indices.astype(np.uint64)[:, None] + np.uint64(1)) * _GOLDEN)


class Uniform:
    """Yields uniform random numbers, the same for an image no matter what else is drawn."""

    def __init__(self, keys: NDArray[np.uint64]) -> None:
        steps = np.arange(1, _NUM_PARAMETERS + 1, dtype=np.uint64) * _GOLDEN
        self._values = (_mix(keys + steps) >> np.uint64(40)).astype(np.float32) / 2**24
        self._used = 0

    def __call__(self, low: float, high: float, num: int) -> Array:
        """Return (N, num) in [low, high)."""
        values = self._values[:, self._used : self._used + num]
        self._used += num
        assert values.shape[1] == num, "raise _NUM_PARAMETERS"
        return np.float32(low) + np.float32(high - low) * values


def pixel_noise(keys: NDArray[np.uint64], size: int) -> Array:
    """Return (N, 3, S, S) in [-1, 1), independent for each value; 21 bits of a hash a channel."""
    steps = np.arange(size * size, dtype=np.uint64) + np.uint64(_NUM_PARAMETERS + 1)
    bits = _mix(keys + steps * _GOLDEN).reshape(-1, 1, size, size)
    shifts = np.array([0, 21, 42], np.uint64).reshape(1, 3, 1, 1)
    channels = ((bits >> shifts) & np.uint64(2**21 - 1)).astype(np.float32)
    return channels / np.float32(2**20) - np.float32(1)
