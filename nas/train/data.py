"""The images of a training run: training images, held-out images and test images."""

from pathlib import Path

import numpy
import torch

from nas.config import AugmentConfig
from nas.data import stratified_split
from nas.data.fingerprint import check_unchanged
from nas.data.from_config import eval_loader, format_augmentation, load_split, train_loader
from nas.data.image_sets import Images, fingerprint_of
from nas.distributed.launch import WHOLE, Share
from nas.errors import ConfigError
from nas.runtime.compute import Compute
from nas.train.trainer import TrainData


def load_train_data(
    config: AugmentConfig, images: Images, compute: Compute, share: Share = WHOLE
) -> TrainData:
    """Build the loaders.

    Args:
        config: The settings.
        images: The training split.
        compute: Batches are made on its device and in its memory format.
        share: The part of each batch that this process takes.

    Raises:
        DataError: The test images cannot be read, or a split would be empty.
        ConfigError: The batch size does not fit the number of training images.
        RunDirectoryError: The run to be resumed was started with other images.
    """
    info = images.info
    test = load_split(config, "test", info.value_range)
    fingerprint = fingerprint_of(train=images, test=test)
    if config.resume and config.out is not None:
        check_unchanged(Path(config.out), fingerprint)
    streams = numpy.random.SeedSequence(config.seed).generate_state(2)
    split_seed, train_seed = (int(stream) for stream in streams)
    kept, held_out = torch.arange(len(images)), torch.empty(0, dtype=torch.int64)
    if info.num_classes < 2:
        raise ConfigError(f"data: {config.data} has one class; at least two are needed")
    if config.val_fraction > 0:
        num_held_out = round(config.val_fraction * len(images))
        if not 0 < num_held_out < len(images):
            raise ConfigError(
                f"val_fraction: {config.val_fraction} of {len(images)} training images is "
                f"{num_held_out}; at least one must be held out and one must remain"
            )
        kept, held_out = stratified_split(images.labels, 1 - config.val_fraction, split_seed)
    if config.batch_size > len(kept):
        raise ConfigError(
            f"batch_size: found {config.batch_size}, but there are {len(kept)} training images; "
            "lower it or use more images"
        )
    if len(kept) % config.batch_size // share.size == 1:
        each = "" if share.size == 1 else f" for each of {share.size} processes"
        raise ConfigError(
            f"batch_size: found {config.batch_size}, which leaves a final batch of one image{each} "
            f"({len(kept)} training images), and BatchNorm cannot train on one image; choose "
            "another batch size"
        )
    return TrainData(
        train_loader=train_loader(images, kept, train_seed, config, compute, share),
        test_loader=eval_loader(test, torch.arange(len(test)), config, compute, share),
        val_loader=(
            eval_loader(images, held_out, config, compute, share) if len(held_out) else None
        ),
        image_shape=(info.channels, info.image_size, info.image_size),
        num_classes=info.num_classes,
        num_train=len(kept),
        num_test=len(test),
        num_val=len(held_out),
        fingerprint=fingerprint,
        augmentation=format_augmentation(config, images),
    )
