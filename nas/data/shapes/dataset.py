"""Draw a small image set that needs no download: ten classes of shapes and textures.

The colors of figure and ground, the pose, the scale and the clutter are random and independent
of the class, so that a linear classifier on the pixels stays near chance
(benchmarks/results/shapes_linear.md) while a small convolutional network learns it.

Shape legend: N images of S x S pixels. Positions are in units of half the image: x to the right
and y down, both in [-1, 1]. A figure is given by a signed distance, below 0 inside.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from nas.data.image_sets import DatasetInfo, ImageSet
from nas.data.shapes.distances import DISTANCES, Array, disc
from nas.data.shapes.random import Uniform, image_keys, pixel_noise
from nas.data.splits import stratified_subset
from nas.runtime.memory import check_fits

SHAPES = DatasetInfo(
    name="shapes",
    class_names=(
        "disc",
        "ring",
        "square",
        "triangle",
        "cross",
        "star",
        "horizontal_stripes",
        "vertical_stripes",
        "checkerboard",
        "dots",
    ),
    image_size=32,
    # Measured from the 10,000 training images at size 32, seed 0.
    mean=(0.5003, 0.4985, 0.4990),
    std=(0.2368, 0.2380, 0.2375),
)

NUM_IMAGES = {"train": 10_000, "test": 2_000}
_STREAMS = {"train": 1, "test": 2}
_STRIPES = [k for k, name in enumerate(SHAPES.class_names) if name.endswith("stripes")]
_FIRST_TEXTURE = SHAPES.class_names.index("horizontal_stripes")
_BLOCK = 128  # images drawn at a time, so that the work fits the cache


def load_shapes(
    *, split: str, image_size: int | None, max_images: int | None, seed: int
) -> ImageSet:
    """Draw the images of one split, or `max_images` of them chosen by `seed`.

    Each is drawn at the size asked, and is the same however many are drawn.
    """
    size = image_size or SHAPES.image_size
    indices = torch.arange(NUM_IMAGES[split])
    labels = indices % SHAPES.num_classes
    if max_images is not None:
        indices = stratified_subset(labels, max_images, seed)
    check_fits(len(indices), SHAPES.channels, size)
    images = draw_shapes(indices.numpy(), split, image_size=size)
    return ImageSet(SHAPES.at_size(size), torch.from_numpy(images), labels[indices])


def draw_shapes(
    indices: NDArray[np.int64], split: str, *, image_size: int = 32, seed: int = 0
) -> NDArray[np.uint8]:
    """Draw images by number; number i shows class i % 10.

    Args:
        indices: int64 (N,), which images, from 0.
        split: "train" or "test": two streams of random numbers that share nothing.
        image_size: Pixels.
        seed: Seed of the dataset; 0 is the one that `load_dataset` gives.

    Returns:
        uint8 (N, 3, S, S).
    """
    images = np.empty((len(indices), 3, image_size, image_size), np.uint8)
    for start in range(0, len(indices), _BLOCK):
        block = indices[start : start + _BLOCK]
        keys = image_keys(block, _STREAMS[split], seed)
        images[start : start + _BLOCK] = _draw_block(block % SHAPES.num_classes, keys, image_size)
    return images


def _draw_block(
    labels: NDArray[np.int64], keys: NDArray[np.uint64], size: int
) -> NDArray[np.uint8]:
    axis = ((np.arange(size) + 0.5) / (size / 2) - 1).astype(np.float32)
    x, y = axis[None, None, :], axis[None, :, None]
    draw = Uniform(keys)
    soft = np.float32(size / 2)  # distances to pixels

    distance = _figure(labels, x, y, draw)
    inside = np.clip(0.5 - distance * soft, 0, 1)[:, None]

    # Figure and ground differ by 2 * contrast in brightness; which is the lighter is a coin toss.
    middle = draw(0.38, 0.62, 1)
    contrast = draw(0.13, 0.28, 1) * np.where(draw(0, 1, 1) < 0.5, -1, 1).astype(np.float32)
    figure = middle + contrast + draw(-0.15, 0.15, 3)
    ground = middle - contrast + draw(-0.15, 0.15, 3)

    # Clutter: a thin line in half of the images and up to three specks, under or over the figure.
    image = np.broadcast_to(ground[:, :, None, None], (len(labels), 3, size, size)).copy()
    behind = draw(0, 1, 1)[:, :, None, None] < 0.5
    clutter = [_line(x, y, draw)] + [_speck(x, y, draw) for _ in range(3)]
    clutter = [np.clip(0.5 - d * soft, 0, 1)[:, None] for d in clutter]
    colors = [draw(0.2, 0.8, 3)[:, :, None, None] for _ in clutter]
    for cover, color in zip(clutter, colors, strict=True):
        image += np.where(behind, cover, 0) * (color - image)
    image += inside * (figure[:, :, None, None] - image)
    for cover, color in zip(clutter, colors, strict=True):
        image += np.where(behind, 0, cover) * (color - image)

    # Light that falls from one side, then noise.
    slope = draw(-0.25, 0.25, 2)[:, :, None, None]
    image *= 1 + slope[:, :1] * x[:, None] + slope[:, 1:] * y[:, None]
    image += pixel_noise(keys, size) * draw(0.04, 0.16, 1)[:, :, None, None]
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _figure(labels: NDArray[np.int64], x: Array, y: Array, draw: Uniform) -> Array:
    """Return the signed distance (N, S, S) to each image's shape or texture, posed at random."""
    texture = labels[:, None] >= _FIRST_TEXTURE
    radius = np.where(texture, draw(0.34, 0.62, 1), draw(0.45, 0.75, 1))
    reach = np.where(texture, radius, 0.95 - radius)  # textures: any phase
    center = draw(-1, 1, 2) * reach
    stripes = np.isin(labels, _STRIPES)[:, None]
    turn = draw(-1, 1, 1) * np.where(stripes, 0.06, 1) * np.float32(math.pi)
    # Rounded so that the last bit of a platform's cosine cannot show.
    cos = (np.rint(np.cos(turn.astype(np.float64)) * 4096) / 4096).astype(np.float32)[:, :, None]
    sin = (np.rint(np.sin(turn.astype(np.float64)) * 4096) / 4096).astype(np.float32)[:, :, None]
    dx, dy = x - center[:, :1, None], y - center[:, 1:, None]
    u, v = dx * cos + dy * sin, dy * cos - dx * sin
    distance = np.empty_like(u)
    for label, name in enumerate(SHAPES.class_names):
        rows = labels == label
        distance[rows] = DISTANCES[name](u[rows], v[rows], radius[rows, :, None])
    return distance


def _line(x: Array, y: Array, draw: Uniform) -> Array:
    """Return the distance to a thin line across the image; in half of the images it is absent."""
    ends = draw(-1, 1, 4)[:, :, None]
    du, dv = ends[:, 2:3] - ends[:, 0:1], ends[:, 3:4] - ends[:, 1:2]
    length = np.sqrt(du * du + dv * dv) + np.float32(1e-3)
    across = ((x - ends[:, 0:1]) * dv - (y - ends[:, 1:2]) * du) / length
    width = np.where(draw(0, 1, 1) < 0.5, draw(0.02, 0.05, 1), -1)[:, :, None]
    return np.abs(across) - width


def _speck(x: Array, y: Array, draw: Uniform) -> Array:
    """Return the distance to a small disc; in a third of the images it is absent."""
    place = draw(-1, 1, 2)[:, :, None]
    radius = np.where(draw(0, 1, 1) < 0.67, draw(0.06, 0.14, 1), -1)[:, :, None]
    return disc(x - place[:, :1], y - place[:, 1:], radius)
