"""The data of a retrain: training images, perhaps a part of them held out, and test images."""

from pathlib import Path

import numpy
import torch
from torch import Tensor

from nas.cli.skipped import announce_skipped
from nas.config import AugmentConfig
from nas.data import (
    WHOLE,
    EvalTransform,
    FileLoader,
    ImageFiles,
    ImageSet,
    Share,
    TensorLoader,
    TrainTransform,
    load_dataset,
    load_imagenet,
    stratified_split,
)
from nas.data.imagenet import eval_transform, train_transform
from nas.errors import ConfigError
from nas.runtime.compute import Compute
from nas.train import TrainData

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


def load_train_data(
    config: AugmentConfig, images: Images, compute: Compute, share: Share = WHOLE
) -> TrainData:
    """Build the loaders.

    Args:
        config: The settings.
        images: Of the training split.
        compute: Batches are made on its device, where the images lie if they fit, and in its
            memory format.
        share: What this process takes of each batch.

    Raises:
        DataError: The test images cannot be read, or a split would be empty.
        ConfigError: There are fewer training images than a batch has.
    """
    test = load_split(config, "test")
    streams = numpy.random.SeedSequence(config.seed).generate_state(2)
    split_seed, train_seed = (int(stream) for stream in streams)
    kept, held_out = torch.arange(len(images)), torch.empty(0, dtype=torch.int64)
    if images.info.num_classes < 2:
        raise ConfigError(f"--data: {config.data} has one class; at least two are needed")
    if config.val_fraction > 0:
        num_held_out = round(config.val_fraction * len(images))
        if not 0 < num_held_out < len(images):
            raise ConfigError(
                f"--val_fraction: {config.val_fraction} of {len(images)} training images is "
                f"{num_held_out}; at least one must be held out and one left"
            )
        kept, held_out = stratified_split(images.labels, 1 - config.val_fraction, split_seed)
    if config.batch_size > len(kept):
        raise ConfigError(
            f"--batch_size: found {config.batch_size}, but there are {len(kept)} training images; "
            "lower it or use more images"
        )
    if len(kept) % config.batch_size // share.size == 1:
        each = "" if share.size == 1 else f" for each of {share.size} processes"
        raise ConfigError(
            f"--batch_size: found {config.batch_size}, which leaves a last batch of one{each} of "
            f"the {len(kept)} training images, and BatchNorm cannot train on one; choose another"
        )
    return TrainData(
        train_loader=_train_loader(images, kept, train_seed, config, compute, share),
        test_loader=eval_loader(test, torch.arange(len(test)), config, compute, share),
        val_loader=(
            eval_loader(images, held_out, config, compute, share) if len(held_out) else None
        ),
        num_classes=images.info.num_classes,
        num_images=(len(kept), len(test), len(held_out)),
    )


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


def _train_loader(
    images: Images,
    indices: Tensor,
    seed: int,
    config: AugmentConfig,
    compute: Compute,
    share: Share,
) -> Loader:
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
