"""Images for an exported network, prepared like those it was trained on."""

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from nas.config import AugmentConfig, resolved
from nas.data import EvalTransform, SubsetError, load_dataset
from nas.data.from_config import Images, Loader, eval_loader, load_split
from nas.deploy.boxes import CPU, BoxLoader, LabeledBoxes
from nas.deploy.metadata import NO_DATASET, Metadata
from nas.errors import ConfigError, DataError


def sample_images(metadata: Metadata, num_images: int, data: str | None = None) -> Tensor:
    """Return a few test images, float (N, 3, S, S), normalized.

    Args:
        metadata: Of the network.
        num_images: N.
        data: The folder of the dataset; None takes embedded drawings, brought to the size.

    Raises:
        DataError: The folder cannot be read, or has a single image, which is no batch.
    """
    if data is not None:
        loader = labeled_images(metadata, data, batch_size=num_images).test()
        images = next(batches_of(loader))
        if len(images) < 2:
            raise DataError(
                f"data: {data} has 1 test image, and the check needs at least 2; add some, or "
                "leave `data` out"
            )
        return images
    size = metadata.image_size
    drawn = load_dataset("shapes", split="test", image_size=size, max_images=max(num_images, 10))
    info = dataclasses.replace(drawn.info, mean=tuple(metadata.mean), std=tuple(metadata.std))
    return EvalTransform(info)(drawn.images[:num_images], torch.Generator())


def labeled_images(
    metadata: Metadata,
    data: str | None,
    *,
    batch_size: int,
    max_images: int | None = None,
    seed: int = 0,
) -> "LabeledImages | LabeledBoxes":
    """Return the images of a folder that fit a network; for the arguments see the two classes.

    Raises:
        ConfigError: A folder is missing, or has no effect.
    """
    kind = LabeledBoxes if metadata.is_detector else LabeledImages
    return kind(metadata, data, batch_size=batch_size, max_images=max_images, seed=seed)


class LabeledImages:
    """The training and test images of a folder, as a training evaluates them."""

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
            data: The folder, in the layout of the dataset that it was trained on; None only for
                `shapes`, which needs none.
            batch_size: Images in a batch of either loader.
            max_images: Number of training images, the same share of every class; where there are
                fewer than classes, one of each of some classes. None takes all.
            seed: Selects them.

        Raises:
            ConfigError: A folder is missing, or has no effect.
        """
        if metadata.dataset == NO_DATASET:
            raise ConfigError(
                "data: the network has random weights and was trained on no images; export it as "
                "NAME,dataset=... with the dataset whose images it should see"
            )
        if (data is None) != (metadata.dataset == "shapes"):
            given = "but no folder is given" if data is None else f"so {data} would have no effect"
            raise ConfigError(
                f"data: the network was trained on {metadata.dataset}, {given}; "
                + ("name its folder" if data is None else "leave it out")
            )
        self._metadata = metadata
        self._num_train = max_images
        # A stratified part holds every class; `train` leaves some out where that is too many.
        max_images = max_images and max(max_images, self.num_classes)
        self._config = resolved(
            AugmentConfig(
                dataset=metadata.dataset,
                data=data or "data",
                image_size=metadata.image_size,
                max_images=max_images,
                eval_batch_size=batch_size,
                seed=seed,
            )
        )

    @property
    def num_classes(self) -> int:
        """Number of classes of the network."""
        return int(self._metadata.model.get("num_classes", 0))

    def train(self) -> Loader:
        """Return the chosen training images, in order and not augmented.

        Raises:
            DataError: There are fewer than were asked for, or they cannot be read.
        """
        try:
            images = load_split(self._config, "train")
        except SubsetError as cause:
            # Too few for the part that was asked for; perhaps it is the wrong folder.
            everything = dataclasses.replace(self._config, max_images=None)
            self._check_classes(load_split(everything, "train"))
            raise DataError(
                f"calibration_images: found {self._num_train}, {cause.reason}; choose others"
            ) from cause
        chosen = torch.arange(len(images))
        if self._num_train is not None and self._num_train < len(images):
            generator = torch.Generator().manual_seed(self._config.seed)
            order = torch.randperm(len(images), generator=generator)
            chosen = order[: self._num_train].sort().values
        return self._loader(images, chosen)

    def test(self) -> Loader:
        """Return all test images.

        Raises:
            DataError: They cannot be read.
        """
        images = load_split(self._config, "test")
        return self._loader(images, torch.arange(len(images)))

    def _loader(self, images: Images, chosen: Tensor) -> Loader:
        self._check_classes(images)
        return eval_loader(images, chosen, self._config, CPU)

    def _check_classes(self, images: Images) -> None:
        expected, present = self._metadata.classes, list(images.info.class_names)
        if expected is None and len(present) == self.num_classes:
            return
        if expected != present:
            wanted = expected if expected is not None else [f"{self.num_classes} classes"]
            raise DataError(
                f"{self._config.data}: its {len(present)} classes ({_some(present)}) are not the "
                f"network's ({_some(wanted)}); name the dataset that it was trained on"
            )


def batches_of(loader: Loader | BoxLoader) -> Iterator[Tensor]:
    """Yield the images of one pass, contiguous, without their labels."""
    for images, _ in loader:
        yield images.contiguous()


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
