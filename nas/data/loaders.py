"""Batches from tensors, on the device where they fit, with exact resume.

Shape legend: N images, B of them a batch, C channels, H = W = image_size.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from nas.data.placement import place_images, to_device
from nas.data.transforms import EvalTransform, TrainTransform
from nas.distributed.launch import WHOLE, Share
from nas.errors import CheckpointError, DataError, shown


class TensorLoader:
    """Hand out one epoch of batches after another.

    What comes next depends on the loader's state alone: `for batch in loader` gives what is left
    of the current epoch, a whole one where the last was finished. A loop that is left early is
    therefore continued by the next one, whether or not the loader was saved and loaded between.

    The last batch of an epoch may be smaller than the others, as in the reference.

    Deviation: the DARTS search builds a new shuffled loader for every validation batch
    (`next(iter(valid_queue))`), which draws with replacement across steps; here every image comes
    once an epoch.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        batch_size: int,
        *,
        transform: TrainTransform | EvalTransform,
        shuffle: bool,
        seed: int,
        device: torch.device | str = "cpu",
        share: Share = WHOLE,
    ) -> None:
        """Place the raw images and seed the loader's own generator.

        Args:
            images: uint8 (N, C, H, W).
            labels: int64 (N,).
            batch_size: 1 to N, over all processes.
            transform: From a uint8 to a floating batch; see `nas.data.transforms`.
            shuffle: Whether each epoch has a new order; else the order is that of `images`.
            seed: Of the orders and of the transform's random numbers.
            device: Where the batches are made, and where the images lie if they fit.
            share: What this process takes of each batch; see `Share` for the last one of an epoch.

        Raises:
            DataError: `batch_size` is out of range.
        """
        assert len(images) == len(labels)
        if not 1 <= batch_size <= len(images):
            raise DataError(
                f"--batch_size: found {batch_size}, but this part of the data has {len(images)} "
                f"images; allowed are 1 to {len(images)}; lower it or use more images"
            )
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.share = share
        self._num_used = share.num_used(len(labels), batch_size, even=shuffle)
        self._device = torch.device(device)
        self._images = place_images(images, self._device)
        self._labels = labels.to(self._device)
        self._transform = transform
        self._generator = torch.Generator().manual_seed(seed)
        self._epoch_generator = self._generator.get_state()
        self._position = 0
        self._order = torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch."""
        return -(-self._num_used // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (floating (B, C, H, W), int64 (B,)) up to the end of the current epoch."""
        while True:
            yield self._next_batch()
            if self._position == 0:
                return

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the stream of batches; may be taken between any two batches.

        Only tensors and ints, so that `torch.load(weights_only=True)` reads it.
        """
        return {
            "generator": self._generator.get_state(),
            "epoch_generator": self._epoch_generator.clone(),
            "position": self._position,
            "num_images": len(self._labels),
            "batch_size": self.batch_size,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a place in the stream: the batches that follow are the same to the last bit.

        Raises:
            CheckpointError: The state is of a loader with other images or another batch size.
        """
        for name, own in (("num_images", len(self._labels)), ("batch_size", self.batch_size)):
            if state[name] != own:
                raise CheckpointError(
                    f"data loader: the saved state has {name} {state[name]}, this run has {own}; "
                    "resume with the settings that the run was started with"
                )
        check_position(state["position"], len(self))
        self._epoch_generator = state["epoch_generator"].clone()
        self._generator.set_state(self._epoch_generator)
        self._order = self._draw_order()
        self._generator.set_state(state["generator"])
        self._position = state["position"]

    def _next_batch(self) -> tuple[Tensor, Tensor]:
        if self._position == 0:
            self._epoch_generator = self._generator.get_state()
            self._order = self._draw_order()
        start = self._position * self.batch_size
        batch = self._order[start : start + self.batch_size]
        part = self.share.of(len(batch))
        self._position = (self._position + 1) % len(self)
        draws = self._transform.draw(self._generator, len(batch))
        indices = batch[part]
        # Everything that was drawn goes to the device in one copy.
        packed = to_device(torch.vstack([indices, draws[:, part]]), self._device)
        images = self._transform.apply(self._select(indices, packed[0]), packed[1:])
        return images, self._labels.index_select(0, packed[0])

    def _select(self, indices: Tensor, chosen: Tensor) -> Tensor:
        """Return the raw images (B, C, H, W) of indices, which are given on both devices."""
        pixels = self._images.permute(0, 2, 3, 1)  # whole images are copied, without strides
        is_near = self._images.device.type == self._device.type
        found = pixels.index_select(0, chosen if is_near else indices)
        return to_device(found, self._device).permute(0, 3, 1, 2)

    def _draw_order(self) -> Tensor:
        """Draw the order of one epoch; advances the generator if the loader shuffles."""
        if self.shuffle:
            order = torch.randperm(len(self._labels), generator=self._generator)
            return order[: self._num_used]
        return torch.arange(len(self._labels))


def check_position(position: Any, num_batches: int) -> None:
    """Raise CheckpointError if a saved place is not one of an epoch."""
    if type(position) is not int or not 0 <= position < num_batches:
        raise CheckpointError(
            f"data loader: the saved state is at batch {shown(position)} of {num_batches}; the "
            "checkpoint is damaged or of another run"
        )
