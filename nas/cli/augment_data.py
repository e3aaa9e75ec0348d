"""The data of a retrain: training images, perhaps a part of them held out, and test images."""

import numpy
import torch

from nas.config import AugmentConfig
from nas.data import (
    EvalTransform,
    ImageSet,
    TensorLoader,
    TrainTransform,
    load_dataset,
    stratified_split,
)
from nas.errors import ConfigError
from nas.train import TrainData


def load_split(config: AugmentConfig, split: str) -> ImageSet:
    """Read "train", cut to --max_images, or "test", which is always whole.

    Raises:
        DataError: The data cannot be read.
    """
    return load_dataset(
        config.dataset,
        config.data,
        split=split,
        image_size=config.image_size,
        max_images=config.max_images if split == "train" else None,
        seed=config.seed,
    )


def load_train_data(config: AugmentConfig, images: ImageSet, device: torch.device) -> TrainData:
    """Build the loaders.

    Args:
        config: The settings.
        images: Of the training split.
        device: Where the images lie and batches are made.

    Raises:
        DataError: The test images cannot be read, or a split would be empty.
        ConfigError: There are fewer training images than a batch has.
    """
    test = load_split(config, "test")
    streams = numpy.random.SeedSequence(config.seed).generate_state(2)
    split_seed, train_seed = (int(stream) for stream in streams)
    held_out = torch.empty(0, dtype=torch.int64)
    kept = torch.arange(len(images))
    if config.val_fraction > 0:
        kept, held_out = stratified_split(images.labels, 1 - config.val_fraction, split_seed)
    if config.batch_size > len(kept):
        raise ConfigError(
            f"--batch_size: found {config.batch_size}, but there are {len(kept)} training images; "
            "lower it or use more images"
        )
    train_loader = TensorLoader(
        images.images[kept],
        images.labels[kept],
        config.batch_size,
        transform=TrainTransform(
            images.info, cutout=config.cutout, memory_format=torch.channels_last
        ),
        shuffle=True,
        seed=train_seed,
        device=device,
    )
    val_loader = None
    if len(held_out):
        val_loader = eval_loader(images, held_out, config, device)
    return TrainData(
        train_loader=train_loader,
        test_loader=eval_loader(test, torch.arange(len(test)), config, device),
        val_loader=val_loader,
        num_classes=images.info.num_classes,
        num_images=(len(kept), len(test), len(held_out)),
    )


def eval_loader(
    images: ImageSet, indices: torch.Tensor, config: AugmentConfig, device: torch.device
) -> TensorLoader:
    """Build a loader that hands out images as they are, in order, each once a pass."""
    return TensorLoader(
        images.images[indices],
        images.labels[indices],
        min(config.eval_batch_size, len(indices)),
        transform=EvalTransform(images.info, memory_format=torch.channels_last),
        shuffle=False,
        seed=0,
        device=device,
    )
