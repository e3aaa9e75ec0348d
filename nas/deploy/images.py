"""Images for an exported network, prepared as those that it was trained on."""

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from nas.cli.augment_data import Images, Loader, eval_loader, load_split
from nas.config import AugmentConfig, resolved
from nas.data import EvalTransform, load_dataset
from nas.deploy.metadata import Metadata
from nas.errors import ConfigError, DataError
from nas.runtime.compute import Compute

_CPU = Compute(torch.device("cpu"), memory_format=torch.channels_last)


def sample_images(metadata: Metadata, num_images: int, data: str | None = None) -> Tensor:
    """Return a few test images, float (N, 3, S, S), normalised.

    Args:
        metadata: Of the network.
        num_images: N.
        data: The folder of the data set; None takes embedded drawings, brought to the size.

    Raises:
        DataError: The folder cannot be read, or has too few images.
    """
    if data is not None:
        loader = LabelledImages(metadata, data, batch_size=num_images).test()
        return next(batches_of(loader))
    size = metadata.image_size
    drawn = load_dataset("shapes", split="test", image_size=size, max_images=max(num_images, 10))
    info = dataclasses.replace(drawn.info, mean=tuple(metadata.mean), std=tuple(metadata.std))
    return EvalTransform(info)(drawn.images[:num_images], torch.Generator())


class LabelledImages:
    """The training and test images of a folder, as a retrain would evaluate them."""

    def __init__(
        self,
        metadata: Metadata,
        data: str | None,
        *,
        batch_size: int = 50,
        max_images: int | None = None,
        seed: int = 0,
    ):
        """Open nothing yet.

        Args:
            metadata: Of the network, which says what an image must look like.
            data: The folder, in the layout of the data set that it was trained on; None only for
                `shapes`, which needs none.
            batch_size: Of both loaders.
            max_images: Training images, the same share of every class; None is all.
            seed: Chooses them.

        Raises:
            ConfigError: A folder is missing, or has no effect.
        """
        if (data is None) != (metadata.dataset == "shapes"):
            found = "found none" if data is None else f"found {data}, which would have no effect"
            raise ConfigError(
                f"--data: the network was trained on {metadata.dataset}, {found}; "
                + ("name its folder" if data is None else "leave it out")
            )
        self._metadata = metadata
        self._config = resolved(
            AugmentConfig(
                dataset=metadata.dataset,
                data=data or "data",
                image_size=metadata.image_size,
                max_images=max_images,
                eval_batch_size=batch_size,
                seed=seed,
                model="mobilenext_1.0",  # the settings of data depend on no network
            )
        )

    @property
    def num_classes(self) -> int:
        """Of the network."""
        return int(self._metadata.model.get("num_classes", 0))

    def train(self) -> Loader:
        """Return the chosen training images, in order and without chance.

        Raises:
            DataError: There are fewer than were asked for, or they cannot be read.
        """
        return self._loader("train")

    def test(self) -> Loader:
        """Return all test images.

        Raises:
            DataError: They cannot be read.
        """
        return self._loader("test")

    def _loader(self, split: str) -> Loader:
        try:
            images = load_split(self._config, split)
        except DataError as cause:
            flag, found, reason = str(cause).partition("--max_images: ")
            if flag or not found:
                raise
            raise DataError(
                f"--calibration_images: {reason.split(';')[0]}; choose others"
            ) from cause
        self._check_classes(images)
        return eval_loader(images, torch.arange(len(images)), self._config, _CPU)

    def _check_classes(self, images: Images) -> None:
        expected, found = self._metadata.classes, list(images.info.class_names)
        if expected is None and len(found) == self.num_classes:
            return
        if expected != found:
            told = expected if expected is not None else [f"{self.num_classes} classes"]
            raise DataError(
                f"{self._config.data}: its {len(found)} classes ({_some(found)}) are not the "
                f"network's ({_some(told)}); name the data set that it was trained on"
            )


def batches_of(loader: Loader) -> Iterator[Tensor]:
    """Yield the images of one pass, contiguous, without their labels."""
    for images, _ in loader:
        yield images.contiguous()


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
