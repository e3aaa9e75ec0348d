"""A trained network that takes images as they are and returns the names of classes."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from nas.data import DatasetInfo
from nas.data.prepare import ImageLike, dataset_info, prepare_images
from nas.errors import CheckpointError
from nas.models.from_checkpoint import (
    build_described,
    part_of,
    read_described,
    saved_value_range,
)


@dataclass(frozen=True)
class Prediction:
    """What a network says about one image."""

    class_name: str
    """The most probable class."""
    probability: float
    """Its probability, 0 to 1."""
    probabilities: dict[str, float]
    """The probability of each class, the most probable first."""

    def __str__(self) -> str:
        return f"{self.class_name} ({100 * self.probability:.1f} %)"


class TrainedNetwork(nn.Module):
    """A network in eval mode, with the preprocessing and the class names of its training run."""

    def __init__(self, net: nn.Module, info: DatasetInfo, source: str):
        """Set the network to eval mode.

        Args:
            net: Called as `net(images)`; returns logits (N, num_classes).
            info: Class names, image size and normalization.
            source: The file of the weights.
        """
        super().__init__()
        self.net = net
        self.info = info
        self.source = source
        self.eval()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class of logit 0, of logit 1, ..."""
        return self.info.class_names

    @property
    def image_size(self) -> int:
        """Height and width of the images that the network was trained on, pixels."""
        return self.info.image_size

    def forward(self, images: Tensor) -> Tensor:
        """Classify prepared images.

        Args:
            images: float (N, 3, image_size, image_size), normalized; see `prepare`.

        Returns:
            Logits, (N, num_classes).
        """
        return self.net(images)

    def prepare(self, images: Sequence[ImageLike] | ImageLike) -> Tensor:
        """Resize, crop and normalize images as the evaluation of the training run does.

        Args:
            images: As in `predict`.

        Returns:
            float (N, 3, image_size, image_size), on the device of the network.

        Raises:
            DataError: An image cannot be read or has another form.
        """
        device = next(self.net.parameters()).device
        return prepare_images(images, self.info).to(device)

    @torch.no_grad()
    def predict(
        self, images: Sequence[ImageLike] | ImageLike, batch_size: int = 64
    ) -> Prediction | list[Prediction]:
        """Classify images.

        Args:
            images: A PIL image, the path of an image file, or a uint8 tensor (3, H, W) or
                (1, H, W), of any size; several of these in a list; or a uint8 tensor (N, 3, H, W).
            batch_size: Number of images that are computed at a time.

        Returns:
            One prediction for one image, a list for several.

        Raises:
            DataError: An image cannot be read or has another form.
        """
        is_one = isinstance(images, ImageLike) and getattr(images, "ndim", 3) != 4
        several = [cast(ImageLike, images)] if is_one else list(cast(Sequence[ImageLike], images))
        predictions = [
            self._prediction(row)
            for start in range(0, max(1, len(several)), batch_size)
            for row in self(self.prepare(several[start : start + batch_size])).softmax(1).cpu()
        ]
        return predictions[0] if is_one else predictions

    def _prediction(self, probabilities: Tensor) -> Prediction:
        """Return the prediction for the probabilities (num_classes,) of one image."""
        ordered, classes = probabilities.sort(descending=True, stable=True)
        names = [self.class_names[index] for index in classes.tolist()]
        by_name = dict(zip(names, ordered.tolist(), strict=True))
        return Prediction(names[0], by_name[names[0]], by_name)


def load_trained(
    path: str | Path, *, plugins: Sequence[str] = (), device: str | torch.device = "cpu"
) -> TrainedNetwork:
    """Load the network of a training run.

    Args:
        path: A run directory, of which the newest checkpoint is read, or a checkpoint of it, such
            as `checkpoints/best.pt`. The moving average of the weights is used if there is one.
        plugins: Modules or .py files with operators of the network. What the checkpoint names is
            not imported by itself.
        device: Where the network computes.

    Raises:
        CheckpointError: The checkpoint cannot be read or used, or is not one of a training run.
        OperatorError: An operator of the network is unknown; give its `plugins`.
    """
    state, where = read_described(Path(path).expanduser())
    config: dict[str, Any] = part_of(state, "config", where)
    classes: list[str] = part_of(state, "classes", where, list)
    dataset, image_size = config.get("dataset"), config.get("image_size")
    if not isinstance(dataset, str) or not isinstance(image_size, int | None):
        raise CheckpointError(f"{where}: does not say which images it was trained on")
    net = build_described(state, where, plugins).to(device)
    info = dataset_info(dataset, classes, image_size)
    info = dataclasses.replace(info, value_range=saved_value_range(state, where))
    return TrainedNetwork(net, info, where)
