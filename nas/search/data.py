"""The data of a search: the training images, parted into the halves for w and for alpha."""

import numpy
from torch import Tensor

from nas.config import SearchConfig
from nas.data import TensorLoader, TrainTransform, load_dataset, place_images, stratified_split
from nas.data.skipped import announce_skipped
from nas.distributed.launch import WHOLE, Share
from nas.errors import ConfigError
from nas.runtime.compute import Compute
from nas.search.searcher import SearchData


def load_search_data(config: SearchConfig, compute: Compute, share: Share = WHOLE) -> SearchData:
    """Read the training images and build the loaders of this process's share of every batch.

    The batches are made on the device of the arithmetic and in its memory format.

    The test split is not read.

    Both halves are augmented as in training, for measuring too, as in the reference.

    Deviation: the reference takes the first and the last 25,000 images in file order; here the
    halves are a seeded, class-stratified permutation, because an image folder is in class order.

    Raises:
        DataError: The data cannot be read.
        ConfigError: A half has fewer images than a batch.
    """
    images = load_dataset(
        config.dataset,
        config.data,
        split="train",
        image_size=config.image_size,
        max_images=config.max_images,
        seed=config.seed,
        skip_corrupt=config.skip_corrupt,
    )
    announce_skipped("search.py", "train", images)
    streams = numpy.random.SeedSequence(config.seed).generate_state(4)
    split_seed, train_seed, val_seed, measure_seed = (int(stream) for stream in streams)
    for_w, for_alpha = stratified_split(images.labels, config.train_fraction, split_seed)
    if images.info.num_classes < 2:
        raise ConfigError(f"--data: {config.data} has one class; at least two are needed")
    smaller = min(len(for_w), len(for_alpha))
    if config.batch_size > smaller:
        raise ConfigError(
            f"--batch_size: found {config.batch_size}, but the smaller part of the training "
            f"images ({len(for_w)} for w, {len(for_alpha)} for alpha) has {smaller}; lower "
            "--batch_size or use more images"
        )
    transform = TrainTransform(images.info, memory_format=compute.memory_format)
    device = compute.device
    w_half, alpha_half = (
        (place_images(images.images[indices], device), images.labels[indices].to(device))
        for indices in (for_w, for_alpha)
    )

    def loader(half: tuple[Tensor, Tensor], shuffle: bool, seed: int) -> TensorLoader:
        return TensorLoader(
            *half,
            config.batch_size,
            transform=transform,
            shuffle=shuffle,
            seed=seed,
            device=device,
            share=share,
        )

    size = images.info.image_size
    return SearchData(
        train_loader=loader(w_half, True, train_seed),
        val_loader=loader(alpha_half, True, val_seed),
        measure_loader=lambda epoch: loader(alpha_half, False, measure_seed + epoch),
        image_shape=(images.info.channels, size, size),
        num_classes=images.info.num_classes,
        num_images=(len(for_w), len(for_alpha)),
    )
