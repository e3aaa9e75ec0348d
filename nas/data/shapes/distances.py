"""The figures of the drawn set as signed distances: below 0 inside, in the units of u and v.

Only sums, products, comparisons and square roots, which every platform rounds the same way.
Near an edge they are the distance itself; far from it some are only bounds, which is enough for
anti-aliasing.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def disc(u: Array, v: Array, r: Array) -> Array:
    """Return the distance to a disc of radius r; all arrays broadcast to (N, S, S)."""
    return np.sqrt(u * u + v * v) - r


def _ring(u: Array, v: Array, r: Array) -> Array:
    return np.abs(disc(u, v, r * np.float32(0.75))) - r * np.float32(0.25)


def _box(u: Array, v: Array, half_width: Array, half_height: Array) -> Array:
    return np.maximum(np.abs(u) - half_width, np.abs(v) - half_height)


def _square(u: Array, v: Array, r: Array) -> Array:
    return _box(u, v, r * np.float32(0.8), r * np.float32(0.8))


def _cross(u: Array, v: Array, r: Array) -> Array:
    thin = r * np.float32(0.28)
    return np.minimum(_box(u, v, r, thin), _box(u, v, thin, r))


def _sides(u: Array, v: Array, num: int) -> list[Array]:
    """Return the coordinates along `num` directions that are spread evenly over the circle."""
    angles = [2 * math.pi * k / num for k in range(num)]
    return [u * np.float32(math.cos(a)) + v * np.float32(math.sin(a)) for a in angles]


def _triangle(u: Array, v: Array, r: Array) -> Array:
    return np.maximum.reduce(_sides(u, v, 3)) - r * np.float32(0.55)


def _star(u: Array, v: Array, r: Array) -> Array:
    """Inside a five-pointed star all but at most one of its five lines have the point within."""
    first = second = np.full_like(u, -np.inf)
    for along in _sides(u, v, 5):
        first, second = np.maximum(first, along), np.maximum(second, np.minimum(first, along))
    return second - r * np.float32(1.15 * math.cos(math.radians(72)))


def _wave(t: Array, period: Array) -> Array:
    """Distance to the nearest band; bands and gaps are both half a period wide."""
    phase = t / period
    return (np.abs(phase - np.floor(phase) - 0.5) - np.float32(0.25)) * period


def _horizontal_stripes(u: Array, v: Array, r: Array) -> Array:
    return _wave(v, r)


def _vertical_stripes(u: Array, v: Array, r: Array) -> Array:
    return _wave(u, r)


def _checkerboard(u: Array, v: Array, r: Array) -> Array:
    across, down = _wave(u, r * np.float32(1.2)), _wave(v, r * np.float32(1.2))
    return np.where((across < 0) == (down < 0), 1, -1) * np.minimum(np.abs(across), np.abs(down))


def _dots(u: Array, v: Array, r: Array) -> Array:
    across, down = u / r, v / r
    across, down = across - np.floor(across) - 0.5, down - np.floor(down) - 0.5
    return (np.sqrt(across * across + down * down) - np.float32(0.28)) * r


DISTANCES = {
    "disc": disc,
    "ring": _ring,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
    "star": _star,
    "horizontal_stripes": _horizontal_stripes,
    "vertical_stripes": _vertical_stripes,
    "checkerboard": _checkerboard,
    "dots": _dots,
}
"""For each class: (u, v, r) to distance; (u, v) are coordinates of the figure, r its scale."""
