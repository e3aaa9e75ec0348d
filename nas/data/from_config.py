"""The images and loaders of a training run or of a measurement, from its settings.

This is where a loader learns the device and the memory format of its batches.
"""

from pathlib import Path

from torch import Tensor

from nas.config import AugmentConfig
from nas.data.datasets import load_dataset
from nas.data.file_loader import FileLoader
from nas.data.fingerprint import read_fingerprint, some_changes
from nas.data.image_sets import ImageFiles, Images, fingerprint_of
from nas.data.imagenet import eval_transform, format_transform, load_imagenet, train_transform
from nas.data.layout import find_layout
from nas.data.loaders import TensorLoader
from nas.data.notices import say
from nas.data.transforms import EvalTransform, TrainTransform
from nas.distributed.launch import WHOLE, Share
from nas.runtime.compute import Compute

Loader = TensorLoader | FileLoader


def load_split(config: AugmentConfig, split: str, value_range: int | None = None) -> Images:
    """Read "train", cut to `max_images`, or "test", which is whole except for `skip_corrupt`.

    Here and below the settings are `resolved`.

    Args:
        config: The settings.
        split: "train" or "test".
        value_range: Of gray images of more than 8 bits; None finds it in this split.

    Raises:
        DataError: The data cannot be read.
    """
    if split == "train":
        _check_test_split(config)
    max_images = config.max_images if split == "train" else None
    root = Path(config.data).expanduser()
    if config.dataset == "imagenet":
        return load_imagenet(
            root,
            split=split,
            image_size=config.image_size,
            max_images=max_images,
            seed=config.seed,
            skip_corrupt=config.skip_corrupt,
        )
    return load_dataset(
        config.dataset,
        root,
        split=split,
        image_size=config.image_size,
        max_images=max_images,
        seed=config.seed,
        skip_corrupt=config.skip_corrupt,
        value_range=value_range,
    )


def _check_test_split(config: AugmentConfig) -> None:
    """Check that the folders of test images can be used, before training images are decoded.

    Raises:
        DataError: There are none, or their classes are not those of the training images.
    """
    if config.dataset in ("imagefolder", "imagenet"):
        root = Path(config.data).expanduser()
        find_layout(root, "train")  # what is missing here is named first
        find_layout(root, "test")


def say_changed_test_images(checkpoint: Path, images: Images) -> None:
    """Say if test images are not those that the run of a checkpoint measured on.

    Args:
        checkpoint: In a run directory or its folder checkpoints; elsewhere nothing is known.
        images: The test split.

    Raises:
        ReportError: data.json of the run cannot be read.
    """
    runs = [checkpoint.parent, checkpoint.parent.parent]
    saved = [before for run in runs if (before := read_fingerprint(run)) is not None]
    now = fingerprint_of(test=images)
    if saved and saved[0].dataset == now.dataset and (changes := saved[0].changes_to(now)):
        say(f"these are not the test images of the run: {some_changes(changes)}")


def eval_loader(
    images: Images,
    indices: Tensor,
    config: AugmentConfig,
    compute: Compute,
    share: Share = WHOLE,
) -> Loader:
    """Build a loader that yields images as they are, in order, each once a pass."""
    batch_size = min(config.eval_batch_size, len(indices))
    if isinstance(images, ImageFiles):
        return FileLoader(
            _chosen(images, indices),
            batch_size,
            transform=eval_transform(images.info),
            shuffle=False,
            seed=0,
            num_workers=config.workers or 0,
            device=compute.device,
            memory_format=compute.memory_format,
            share=share,
        )
    return TensorLoader(
        images.images[indices],
        images.labels[indices],
        batch_size,
        transform=EvalTransform(images.info),
        shuffle=False,
        seed=0,
        device=compute.device,
        memory_format=compute.memory_format,
        share=share,
    )


def train_loader(
    images: Images,
    indices: Tensor,
    seed: int,
    config: AugmentConfig,
    compute: Compute,
    share: Share,
) -> Loader:
    """Build a loader that yields augmented training images in a random order.

    Raises:
        ConfigError: The cutout does not fit the images.
    """
    flip = config.horizontal_flip
    if isinstance(images, ImageFiles):
        file_transform = train_transform(images.info, config.color_jitter, horizontal_flip=flip)
        return FileLoader(
            _chosen(images, indices),
            config.batch_size,
            transform=file_transform,
            shuffle=True,
            seed=seed,
            num_workers=config.workers or 0,
            device=compute.device,
            memory_format=compute.memory_format,
            share=share,
        )
    transform = TrainTransform(images.info, config.cutout or 0, horizontal_flip=flip)
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


def format_augmentation(config: AugmentConfig, images: Images) -> str:
    """Say what `train_loader` does to the images."""
    flip = config.horizontal_flip
    if isinstance(images, ImageFiles):
        return format_transform(config.color_jitter, horizontal_flip=flip)
    return str(TrainTransform(images.info, config.cutout or 0, horizontal_flip=flip))


def _chosen(images: ImageFiles, indices: Tensor) -> ImageFiles:
    paths = [images.paths[index] for index in indices.tolist()]
    return ImageFiles(images.info, paths, images.labels[indices])
