"""The images and loaders of a retrain, by its settings."""

from pathlib import Path

from torch import Tensor

from nas.config import AugmentConfig
from nas.data.datasets import load_dataset
from nas.data.imagenet import (
    FileLoader,
    ImageFiles,
    eval_transform,
    load_imagenet,
    train_transform,
)
from nas.data.loaders import TensorLoader
from nas.data.records import ImageSet
from nas.data.skipped import announce_skipped
from nas.data.transforms import EvalTransform, TrainTransform
from nas.distributed.launch import WHOLE, Share
from nas.runtime.compute import Compute

Images = ImageSet | ImageFiles
Loader = TensorLoader | FileLoader


def load_split(config: AugmentConfig, split: str) -> Images:
    """Read "train", cut to --max_images, or "test", which is whole but for --skip_corrupt.

    Here and below the settings are `resolved`.

    Raises:
        DataError: The data cannot be read.
    """
    max_images = config.max_images if split == "train" else None
    settings = {"image_size": config.image_size, "max_images": max_images, "seed": config.seed}
    settings["skip_corrupt"] = config.skip_corrupt
    if config.dataset == "imagenet":
        images = load_imagenet(Path(config.data).expanduser(), split=split, **settings)
    else:
        images = load_dataset(config.dataset, config.data, split=split, **settings)
    announce_skipped("augment.py", split, images)
    return images


def eval_loader(
    images: Images,
    indices: Tensor,
    config: AugmentConfig,
    compute: Compute,
    share: Share = WHOLE,
) -> Loader:
    """Build a loader that hands out images without chance, in order, each once a pass."""
    batch_size = min(config.eval_batch_size, len(indices))
    if isinstance(images, ImageFiles):
        transform = eval_transform(images.info)
        return _file_loader(images, indices, batch_size, transform, None, config, compute, share)
    transform = EvalTransform(images.info, memory_format=compute.memory_format)
    return _tensor_loader(images, indices, batch_size, transform, None, compute, share)


def train_loader(
    images: Images,
    indices: Tensor,
    seed: int,
    config: AugmentConfig,
    compute: Compute,
    share: Share,
) -> Loader:
    """Build a loader that hands out augmented training images in a random order."""
    if isinstance(images, ImageFiles):
        transform = train_transform(images.info, config.color_jitter)
        return _file_loader(
            images, indices, config.batch_size, transform, seed, config, compute, share
        )
    transform = TrainTransform(
        images.info, cutout=config.cutout, memory_format=compute.memory_format
    )
    return _tensor_loader(images, indices, config.batch_size, transform, seed, compute, share)


def _tensor_loader(images, indices, batch_size, transform, seed, compute, share) -> TensorLoader:
    """Build a loader of images in memory; without a seed it does not shuffle."""
    return TensorLoader(
        images.images[indices],
        images.labels[indices],
        batch_size,
        transform=transform,
        shuffle=seed is not None,
        seed=seed or 0,
        device=compute.device,
        share=share,
    )


def _file_loader(
    images, indices, batch_size, transform, seed, config, compute, share
) -> FileLoader:
    """Build a loader of image files; without a seed it does not shuffle."""
    paths = [images.paths[index] for index in indices.tolist()]
    return FileLoader(
        ImageFiles(images.info, paths, images.labels[indices]),
        batch_size,
        transform=transform,
        shuffle=seed is not None,
        seed=seed or 0,
        num_workers=config.workers,
        pin_memory=compute.device.type == "cuda",
        memory_format=compute.memory_format,
        share=share,
    )
