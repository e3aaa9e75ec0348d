"""Prepare single images as an evaluation does: resize, crop, normalize."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nas.data.cifar import CIFAR10_INFO, CIFAR100_INFO
from nas.data.decoding import read_image, to_rgb
from nas.data.image_sets import DatasetInfo
from nas.data.imagefolder import IMAGENET_MEAN, IMAGENET_STD, resize_and_crop
from nas.data.imagenet import DEFAULT_SIZE, eval_transform
from nas.data.shapes.dataset import SHAPES
from nas.data.transforms import EvalTransform
from nas.errors import DataError, shown

_INFOS = {info.name: info for info in (CIFAR10_INFO, CIFAR100_INFO, SHAPES)}
ImageLike = Image.Image | str | Path | Tensor
"""A PIL image, the path of an image file, or a uint8 tensor (C, H, W) with C = 1 or 3."""


def dataset_info(
    name: str, class_names: Sequence[str], image_size: int | None = None
) -> DatasetInfo:
    """Return what is known of a dataset without reading it.

    Args:
        name: A dataset; an unknown name is normalized as ImageNet.
        class_names: Its classes.
        image_size: Height and width, pixels; None is the default of the dataset.
    """
    known = _INFOS.get(name)
    return DatasetInfo(
        name=name,
        class_names=tuple(class_names),
        image_size=image_size or (known.image_size if known else DEFAULT_SIZE),
        mean=known.mean if known else IMAGENET_MEAN,
        std=known.std if known else IMAGENET_STD,
    )


def prepare_images(images: Sequence[ImageLike] | ImageLike, info: DatasetInfo) -> Tensor:
    """Return images as a network that was trained on a dataset expects them.

    Args:
        images: One or several images, of any size each; also a uint8 tensor (N, C, H, W).
        info: The dataset.

    Returns:
        float32 (N, 3, image_size, image_size), normalized.

    Raises:
        DataError: A file cannot be read, or a tensor has another type or shape.
    """
    if isinstance(images, ImageLike) and not (isinstance(images, Tensor) and images.ndim == 4):
        images = [images]
    if len(images) == 0:
        raise DataError("images: found none; give at least one image")
    return torch.stack([_prepare(_decode(image, info), info) for image in images])


def _decode(image: ImageLike, info: DatasetInfo) -> Image.Image:
    """Return an image in RGB."""
    if isinstance(image, str | Path):
        return read_image(Path(image).expanduser(), value_range=info.value_range).image
    if isinstance(image, Image.Image):
        return to_rgb(image, info.value_range)
    if not isinstance(image, Tensor):
        raise DataError(
            f"images: found {type(image).__name__}; expected a PIL image, a path or a uint8 tensor"
        )
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] not in (1, 3):
        raise DataError(
            f"images: found a tensor of {image.dtype} and shape {shown(tuple(image.shape))}; "
            "expected uint8 with values 0 to 255 and shape (3, H, W), (1, H, W) or (N, 3, H, W)"
        )
    pixels = image.cpu().expand(3, -1, -1).permute(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(pixels.numpy()))


def _prepare(image: Image.Image, info: DatasetInfo) -> Tensor:
    """Return one image, float32 (3, image_size, image_size)."""
    if info.name == "imagenet":
        return eval_transform(info)(image)
    pixels = np.asarray(resize_and_crop(image, info.image_size)).transpose(2, 0, 1)
    return EvalTransform(info)(torch.from_numpy(pixels.copy())[None])[0]
