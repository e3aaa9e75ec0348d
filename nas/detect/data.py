"""The images of a detector's run: loaders of training and of test images."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from nas.config import DetectConfig
from nas.data.epochs import Epochs, Rounds
from nas.data.file_loader import SampleLoader
from nas.data.fingerprint import VOC, Fingerprint, check_unchanged
from nas.data.voc import (
    TestSamples,
    TrainSamples,
    VocSet,
    eval_transform,
    load_voc,
    train_transform,
)
from nas.distributed.launch import WHOLE, Share
from nas.models.detection import IMAGE_SIZE, make_priors, match
from nas.runtime.compute import Compute


@dataclass(frozen=True)
class DetectData:
    """What a detector is trained and measured on."""

    train: VocSet
    test: VocSet
    train_loader: SampleLoader
    test_loader: SampleLoader
    fingerprint: Fingerprint


def load_test(config: DetectConfig, classes: tuple[str, ...]) -> VocSet:
    """Read the test images of the settings.

    Raises:
        DataError: They cannot be used.
    """
    folders = config.test_data or config.data
    return load_voc(folders, config.test_split, classes, skip_corrupt=config.skip_corrupt)


def load_data(config: DetectConfig, compute: Compute, share: Share = WHOLE) -> DetectData:
    """Read both splits and build the loaders.

    Raises:
        DataError: A split cannot be used.
        RunDirectoryError: The run to be resumed was started with other images.
    """
    train = load_voc(
        config.data, config.train_split, config.classes, skip_corrupt=config.skip_corrupt
    )
    test = load_test(config, train.classes)
    splits = {"train": train.fingerprint(), "test": test.fingerprint()}
    fingerprint = Fingerprint(VOC, IMAGE_SIZE, None, splits)
    if config.resume and config.out is not None:
        check_unchanged(Path(config.out), fingerprint)
    transform = train_transform(
        IMAGE_SIZE,
        photometric_distortion=config.photometric_distortion,
        expand=config.expand,
        iou_crop=config.iou_crop,
        horizontal_flip=config.horizontal_flip,
    )
    priors = make_priors().float()
    return DetectData(
        train,
        test,
        SampleLoader(
            TrainSamples(train, transform, partial(_encode, priors)),
            Rounds(len(train), config.batch_size, config.eval_interval, share),
            seed=config.seed,
            num_workers=config.workers,
            device=compute.device,
            memory_format=compute.memory_format,
        ),
        test_loader(test, config, compute, share),
        fingerprint,
    )


def test_loader(
    images: VocSet, config: DetectConfig, compute: Compute, share: Share = WHOLE
) -> SampleLoader:
    """Build a loader that yields whole images and their indices, in order."""
    batch_size = min(config.eval_batch_size, len(images))
    return SampleLoader(
        TestSamples(images, eval_transform(IMAGE_SIZE)),
        Epochs(len(images), batch_size, False, share),
        seed=0,
        num_workers=config.workers,
        device=compute.device,
        memory_format=compute.memory_format,
    )


def _encode(priors: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
    return match(boxes, labels, priors)
