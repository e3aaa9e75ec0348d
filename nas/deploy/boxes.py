"""Images with boxes for the file of a detector: a folder in the form of Pascal VOC."""

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from nas.config import DetectConfig
from nas.data.voc import VocSet, load_voc
from nas.deploy.metadata import NO_DATASET, Metadata
from nas.detect.data import test_loader
from nas.errors import ConfigError, DataError
from nas.runtime.compute import Compute

CPU = Compute(torch.device("cpu"), memory_format=torch.channels_last)


class BoxLoader:
    """Whole images with their indices, in order, and the boxes that they are measured with."""

    def __init__(self, images: VocSet, batch_size: int):
        """Open nothing yet."""
        self.images = images
        settings = DetectConfig(data=("-",), workers=0, eval_batch_size=batch_size)
        self._loader = test_loader(images, settings, CPU)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images, float (B, 3, S, S), and their indices (B,)."""
        return iter(self._loader)


class LabeledBoxes:
    """The training and test images of a folder, as the training of a detector measures them."""

    def __init__(
        self,
        metadata: Metadata,
        data: str | None,
        *,
        batch_size: int = 10,
        max_images: int | None = None,
        seed: int = 0,
    ):
        """Open nothing yet.

        Args:
            metadata: Of the detector, which names its classes and splits.
            data: The VOC folder.
            batch_size: Images in a batch of either loader.
            max_images: Number of training images; None takes all.
            seed: Selects them.

        Raises:
            ConfigError: The folder is missing, or the detector was not trained.
        """
        if metadata.dataset == NO_DATASET:
            raise ConfigError(
                "data: the detector has random weights and was trained on no images; export a run "
                "directory of `nas detect train`"
            )
        if data is None:
            raise ConfigError(
                "data: the detector was trained on images with boxes, but no folder is given; name "
                "a folder in the form of Pascal VOC"
            )
        self._metadata = metadata
        self._data = data
        self._batch_size = batch_size
        self._num_train = max_images
        self._seed = seed

    def train(self) -> BoxLoader:
        """Return the chosen training images, in order and not augmented.

        Raises:
            DataError: There are fewer than were asked for, or they cannot be read.
        """
        images = self._load("train_split", "trainval")
        if self._num_train is None:
            return BoxLoader(images, self._batch_size)
        if self._num_train > len(images):
            raise DataError(
                f"calibration_images: found {self._num_train}, but there are {len(images)} "
                "training images; lower it"
            )
        generator = torch.Generator().manual_seed(self._seed)
        chosen = torch.randperm(len(images), generator=generator)[: self._num_train].sort().values
        part = tuple(images.images[index] for index in chosen.tolist())
        return BoxLoader(dataclasses.replace(images, images=part), self._batch_size)

    def test(self) -> BoxLoader:
        """Return all test images.

        Raises:
            DataError: They cannot be read.
        """
        return BoxLoader(self._load("test_split", "test"), self._batch_size)

    def _load(self, key: str, default: str) -> VocSet:
        described = self._metadata.model
        return load_voc(
            (self._data,),
            str(described.get(key, default)),
            self._metadata.classes or (),
            skip_corrupt=bool(described.get("skip_corrupt", False)),
        )
