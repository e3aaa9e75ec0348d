"""Batches from tensors, on the device where they fit, with exact resume.

The loader decides where images and batches are: nothing after it moves them.

Shape legend: N images, B of them per batch, C channels, H = W = image_size.
"""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from nas.data.epochs import Epochs
from nas.data.transforms import EvalTransform, TrainTransform
from nas.distributed.launch import WHOLE, Share
from nas.runtime.device import to_device

MAX_SHARE = 0.5
"""Images may take this part of the free memory of a GPU; the rest is for computing."""


class TensorLoader:
    """Yields one epoch of batches after another.

    What comes next depends on the loader's state alone: `for batch in loader` gives what is left
    of the current epoch, or a whole one if the last was finished. A loop that is left early is
    therefore continued by the next one, whether or not the loader was saved and loaded between.

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
        memory_format: torch.memory_format = torch.contiguous_format,
        share: Share = WHOLE,
    ) -> None:
        """Place the raw images and seed the loader's own generator.

        Args:
            images: uint8 (N, C, H, W).
            labels: int64 (N,).
            batch_size: 1 to N, over all processes.
            transform: From a uint8 to a floating batch; see `nas.data.transforms`.
            shuffle: Whether each epoch has a new order; else the order is that of `images`.
            seed: Seed of the orders and of the transform's random numbers.
            device: The device of the batches, and of the images if they fit.
            memory_format: The memory format of the batches.
            share: The part of each batch for this process; see `Share` for the last one.

        Raises:
            DataError: `batch_size` is out of range.
        """
        assert len(images) == len(labels)
        self._epochs = Epochs(len(images), batch_size, shuffle, share)
        self._device = torch.device(device)
        self._memory_format = memory_format
        self._images = _place(images, self._device)
        self._labels = labels.to(self._device)
        self._transform = transform
        self._start(seed)

    def _start(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._epoch_generator = self._generator.get_state()
        self._order = torch.empty(0, dtype=torch.int64)

    @property
    def batch_size(self) -> int:
        """Images per batch, over all processes."""
        return self._epochs.batch_size

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch."""
        return len(self._epochs)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (floating (B, C, H, W), int64 (B,)) up to the end of the current epoch."""
        while True:
            yield self._next_batch()
            if self._epochs.position == 0:
                return

    def in_order(self, seed: int) -> "TensorLoader":
        """Return another loader of the same tensors, which gives them in their own order.

        Args:
            seed: Seed of the transform's random numbers.
        """
        loader = copy.copy(self)
        loader._epochs = Epochs(len(self._labels), self.batch_size, False, self._epochs.share)
        loader._start(seed)
        return loader

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the stream of batches; may be taken between any two batches.

        Only tensors and ints, so that `torch.load(weights_only=True)` reads it.
        """
        return {
            "generator": self._generator.get_state(),
            "epoch_generator": self._epoch_generator.clone(),
            **self._epochs.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a place in the stream: the batches that follow are the same to the last bit.

        Raises:
            CheckpointError: The state is of a loader with other images or another batch size.
        """
        self._epochs.load_state_dict(state)
        self._epoch_generator = state["epoch_generator"].clone()
        self._generator.set_state(self._epoch_generator)
        self._order = self._epochs.order(self._generator)
        self._generator.set_state(state["generator"])

    def _next_batch(self) -> tuple[Tensor, Tensor]:
        epochs = self._epochs
        if epochs.position == 0:
            self._epoch_generator = self._generator.get_state()
            self._order = epochs.order(self._generator)
        start = epochs.position * epochs.batch_size
        batch = self._order[start : start + epochs.batch_size]
        part = epochs.share.of(len(batch))
        epochs.position = (epochs.position + 1) % len(epochs)
        draws = self._transform.draw(self._generator, len(batch))
        indices = batch[part]
        # Everything that was drawn goes to the device in one copy.
        packed = to_device(torch.vstack([indices, draws[:, part]]), self._device)
        raw = self._select(indices, packed[0])
        images = self._transform.apply(raw, packed[1:], self._memory_format)
        return images, self._labels.index_select(0, packed[0])

    def _select(self, indices: Tensor, chosen: Tensor) -> Tensor:
        """Return the raw images (B, C, H, W) of indices, which are given on both devices."""
        pixels = self._images.permute(0, 2, 3, 1)  # whole images are copied, without strides
        is_near = self._images.device.type == self._device.type
        selected = pixels.index_select(0, chosen if is_near else indices)
        return to_device(selected, self._device).permute(0, 3, 1, 2)


def _place(images: Tensor, device: torch.device) -> Tensor:
    """Return raw images on the device if they fit, with the channels of a pixel side by side.

    Args:
        images: uint8 (N, C, H, W).
        device: The device of the batches.

    Returns:
        The images in channels_last, on the device, or on the CPU if they would take more than
        half of the GPU's free memory.
    """
    if images.device.type != device.type and not _fits(images, device):
        device = images.device
    # Not `.to(memory_format=...)`, which copies an image of one channel though it has both forms.
    return images.to(device).contiguous(memory_format=torch.channels_last)


def _fits(images: Tensor, device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return images.nbytes <= MAX_SHARE * free
