"""The data of a search: the training images, divided into two halves, for w and for alpha."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy
import torch
from torch import Tensor

from nas.config import SearchConfig
from nas.data import ImageSet, TensorLoader, TrainTransform, load_dataset, stratified_split
from nas.data.fingerprint import Fingerprint, check_unchanged
from nas.data.image_sets import fingerprint_of
from nas.distributed.launch import WHOLE, Share
from nas.errors import ConfigError
from nas.runtime.compute import Batch, Compute
from nas.runtime.loop import ResumableLoader


class NumImages(NamedTuple):
    """The sizes of the two halves."""

    weights: int
    """Images that update the weights."""
    alphas: int
    """Images that update the alphas."""


@dataclass(frozen=True)
class SearchData:
    """The two halves of the training set; a search never sees anything else.

    The loaders continue where they were left (see `nas.data.TensorLoader`) and have `len`,
    `state_dict` and `load_state_dict`.
    """

    train_loader: ResumableLoader
    """Updates w."""
    val_loader: ResumableLoader
    """Updates alpha."""
    measure_loader: Callable[[int], Iterable[Batch]]
    """For an epoch, one pass over the half that updates alpha, to measure on."""
    image_shape: tuple[int, int, int]
    """(C, H, W)."""
    num_classes: int
    num_images: NumImages
    fingerprint: Fingerprint | None = None
    """What is written to data.json; None: the images come from elsewhere."""
    augmentation: str = ""
    """What is done to training images, in words."""


def load_search_data(
    config: SearchConfig, compute: Compute, share: Share = WHOLE, one_level: bool = False
) -> SearchData:
    """Read the training images and build the loaders of this process's share of every batch.

    The batches are made on the device of the arithmetic and in its memory format. The test split
    is not read. Both halves are augmented as in training, for measuring too, as in the reference.
    With `one_level` there are no halves: both loaders have all images.

    Deviation: the reference takes the first and the last 25,000 images in file order; here the
    halves are a seeded, class-stratified permutation, because an image folder is in class order.

    Raises:
        DataError: The data cannot be read.
        ConfigError: A half has fewer images than a batch.
        RunDirectoryError: The run to be resumed was started with other images.
    """
    images = load_images(config)
    info = images.info
    if info.num_classes < 2:
        raise ConfigError(f"data: {config.data} has one class; at least two are needed")
    fingerprint = fingerprint_of(train=images)
    if config.resume and config.out is not None:
        check_unchanged(Path(config.out), fingerprint)
    streams = numpy.random.SeedSequence(config.seed).generate_state(4)
    split_seed, train_seed, val_seed, measure_seed = (int(stream) for stream in streams)
    if one_level:
        for_weights = for_alphas = torch.arange(len(images.labels))
    else:
        for_weights, for_alphas = stratified_split(images.labels, config.train_fraction, split_seed)
    smaller = min(len(for_weights), len(for_alphas))
    if config.batch_size > smaller:
        raise ConfigError(
            f"batch_size: found {config.batch_size}, but the smaller part of the training images "
            f"({len(for_weights)} for w, {len(for_alphas)} for alpha) has {smaller}; lower it or "
            "use more images"
        )
    transform = TrainTransform(info, horizontal_flip=config.horizontal_flip)

    def loader(indices: Tensor, seed: int) -> TensorLoader:
        return TensorLoader(
            images.images[indices],
            images.labels[indices],
            config.batch_size,
            transform=transform,
            shuffle=True,
            seed=seed,
            device=compute.device,
            memory_format=compute.memory_format,
            share=share,
        )

    val_loader = loader(for_alphas, val_seed)
    return SearchData(
        train_loader=loader(for_weights, train_seed),
        val_loader=val_loader,
        measure_loader=lambda epoch: val_loader.in_order(measure_seed + epoch),
        image_shape=(info.channels, info.image_size, info.image_size),
        num_classes=info.num_classes,
        num_images=NumImages(weights=len(for_weights), alphas=len(for_alphas)),
        fingerprint=fingerprint,
        augmentation=str(transform),
    )


def load_images(config: SearchConfig) -> ImageSet:
    """Read the training images that the settings name.

    Raises:
        DataError: They cannot be read.
    """
    return load_dataset(
        config.dataset,
        config.data,
        split="train",
        image_size=config.image_size,
        max_images=config.max_images,
        seed=config.seed,
        skip_corrupt=config.skip_corrupt,
    )


def endless(loader: Iterable[Batch]) -> Iterator[Batch]:
    """Go through a loader again and again: one pass is one epoch of it."""
    while True:
        yield from loader
