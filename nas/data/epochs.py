"""What the loaders share: epochs of batches, one share of each, and the place in them."""

from typing import Any

import torch
from torch import Tensor

from nas.distributed.launch import Share
from nas.errors import CheckpointError, DataError, shown


class Epochs:
    """Counts the batches of one epoch after another.

    The last batch of an epoch may be smaller than the others, as in the reference.
    """

    def __init__(self, num_images: int, batch_size: int, shuffle: bool, share: Share):
        """Start at the first batch.

        Args:
            num_images: N.
            batch_size: 1 to N, over all processes.
            shuffle: Whether each epoch has a new order; else the order is that of the images.
            share: The part of each batch for this process; see `Share` for the last one.

        Raises:
            DataError: `batch_size` is out of range.
        """
        if not 1 <= batch_size <= num_images:
            raise DataError(
                f"batch_size: found {batch_size}, but this part of the data has {num_images} "
                f"images; allowed are 1 to {num_images}; lower it or use more images"
            )
        self.num_images = num_images
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.share = share
        self.position = 0
        """The next batch of the current epoch."""

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch."""
        return -(-self.num_used // self.batch_size)

    @property
    def num_used(self) -> int:
        """Images of an epoch; in training the shares of a batch must have the same size."""
        return self.share.num_used(self.num_images, self.batch_size, even=self.shuffle)

    def order(self, generator: torch.Generator) -> Tensor:
        """Draw the order of one epoch, int64; advances the generator if the epochs shuffle."""
        if not self.shuffle:
            return torch.arange(self.num_images)
        return torch.randperm(self.num_images, generator=generator)[: self.num_used]

    def state_dict(self) -> dict[str, Any]:
        """Return the position and what it refers to."""
        return {
            "position": self.position,
            "num_images": self.num_images,
            "batch_size": self.batch_size,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a position.

        Raises:
            CheckpointError: The state is of a loader with other images or another batch size.
        """
        for name, own in (("num_images", self.num_images), ("batch_size", self.batch_size)):
            if state[name] != own:
                raise CheckpointError(
                    f"data loader: the saved state has {name} {state[name]}, this run has {own}; "
                    "resume with the settings that the run was started with"
                )
        position = state["position"]
        if type(position) is not int or not 0 <= position < len(self):
            raise CheckpointError(
                f"data loader: the saved state is at batch {shown(position)} of {len(self)}; the "
                "checkpoint is damaged or of another run"
            )
        self.position = position


class Rounds(Epochs):
    """Epochs of a fixed number of whole batches, for training that counts iterations.

    A round passes over the images as often as it needs to, each time in a new order.
    """

    def __init__(self, num_images: int, batch_size: int, num_batches: int, share: Share):
        """Start at the first batch; the arguments are those of `Epochs`.

        Raises:
            DataError: `batch_size` is out of range.
        """
        super().__init__(num_images, batch_size, True, share)
        self.num_batches = num_batches

    @property
    def num_used(self) -> int:
        """Images of a round, counted again in each pass."""
        return self.num_batches * self.batch_size

    def order(self, generator: torch.Generator) -> Tensor:
        """Draw the order of one round, int64."""
        passes = range(-(-self.num_used // self.num_images))
        orders = [torch.randperm(self.num_images, generator=generator) for _ in passes]
        return torch.cat(orders)[: self.num_used]
