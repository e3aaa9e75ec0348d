"""Batches of image files, decoded by worker processes, with exact resume.

Shape legend: N images, B of them per batch, C channels, H = W = image_size.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from nas.data.decoding import read_image
from nas.data.epochs import Epochs
from nas.data.image_sets import ImageFiles
from nas.distributed.launch import WHOLE, Share
from nas.errors import CheckpointError, DataError
from nas.runtime import device as devices


class SampleLoader:
    """Yields one epoch of batches after another.

    The random numbers of an image depend on seed, epoch and image alone, so that batches are the
    same for any number of workers, and whether or not the run was stopped in between. A loop that
    is left early is continued by the next one, as with `TensorLoader`.
    """

    def __init__(
        self,
        samples: Dataset,
        epochs: Epochs,
        *,
        seed: int,
        num_workers: int = 0,
        device: torch.device | str = "cpu",
        memory_format: torch.memory_format = torch.channels_last,
    ):
        """Start at the first batch of the first epoch.

        Args:
            samples: From an index to an image, float (C, H, W), and its target, a tensor; both may
                draw from torch's global generator.
            epochs: Which samples are in which batch.
            seed: Seed of the orders and of the samples.
            num_workers: Processes that decode; 0 decodes in this one.
            device: The device of the batches.
            memory_format: The memory format of the batches.
        """
        self.seed = seed
        self._epochs = epochs
        self._epoch = 0
        self._samples = _Seeded(samples, seed)
        self._device = torch.device(device)
        self._num_workers = num_workers
        self._memory_format = memory_format

    @property
    def batch_size(self) -> int:
        """Images per batch, over all processes."""
        return self._epochs.batch_size

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch."""
        return len(self._epochs)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images, float (B, C, H, W), and targets (B, ...) up to the end of the epoch."""
        epochs, epoch = self._epochs, self._epoch
        generator = torch.Generator().manual_seed(_mixed(self.seed, epoch, 0))
        order = epochs.order(generator)
        # An epoch that passes over the samples several times draws other numbers in each pass.
        draws = torch.arange(len(order)) // epochs.num_images * epochs.num_images + order + 1
        places = torch.stack([torch.full_like(order, epoch), order, draws], dim=1)
        batches = [
            batch[epochs.share.of(len(batch))].tolist() for batch in places.split(epochs.batch_size)
        ]
        loader = DataLoader(
            self._samples,
            batch_sampler=batches[epochs.position :],
            collate_fn=partial(_collate, self._memory_format),
            generator=torch.Generator(),  # DataLoader would draw from the global one
            num_workers=self._num_workers,
            pin_memory=self._device.type in devices.GPUS,
        )
        for batch in loader:
            if isinstance(batch, DataError):
                raise batch
            epochs.position += 1
            if epochs.position == len(epochs):
                self._epoch, epochs.position = epoch + 1, 0
            images, labels = batch
            yield (
                images.to(self._device, non_blocking=True),
                labels.to(self._device, non_blocking=True),
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the stream of batches; may be taken between any two batches."""
        return {"epoch": self._epoch, **self._epochs.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a place in the stream: the batches that follow are the same to the last bit.

        Raises:
            CheckpointError: The state is of a loader with other images or another batch size.
        """
        if type(state["epoch"]) is not int or state["epoch"] < 0:
            raise CheckpointError("data loader: the saved state has no epoch; it is damaged")
        self._epochs.load_state_dict(state)
        self._epoch = state["epoch"]


class FileLoader(SampleLoader):
    """Yields the images of files with their labels, int64 (B,)."""

    def __init__(
        self,
        files: ImageFiles,
        batch_size: int,
        *,
        transform: v2.Transform,
        shuffle: bool,
        seed: int,
        num_workers: int = 0,
        device: torch.device | str = "cpu",
        memory_format: torch.memory_format = torch.channels_last,
        share: Share = WHOLE,
    ):
        """Start at the first batch of the first epoch.

        Args:
            files: What to read.
            batch_size: 1 to N, over all processes.
            transform: From a PIL image to a float (C, H, W).
            shuffle: Whether each epoch has a new order.
            seed: Seed of the orders and of the transforms.
            num_workers: Processes that decode; 0 decodes in this one.
            device: The device of the batches.
            memory_format: The memory format of the batches.
            share: The part of each batch for this process; see `Share` for the last one.

        Raises:
            DataError: `batch_size` is out of range.
        """
        super().__init__(
            _Labeled(files, transform),
            Epochs(len(files), batch_size, shuffle, share),
            seed=seed,
            num_workers=num_workers,
            device=device,
            memory_format=memory_format,
        )


class _Labeled(Dataset):
    """Decoded and transformed images, and their labels."""

    def __init__(self, files: ImageFiles, transform: v2.Transform):
        self.files = files
        self.transform = transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        value_range = self.files.info.value_range
        image = read_image(self.files.paths[index], value_range=value_range).image
        return self.transform(image), self.files.labels[index]


class _Seeded(Dataset):
    """Samples whose random numbers depend on seed, epoch and draw alone."""

    def __init__(self, samples: Dataset, seed: int):
        self.samples = samples
        self.seed = seed

    def __getitem__(self, place: tuple[int, int, int]) -> tuple[Tensor, Tensor] | DataError:
        epoch, index, draw = place
        with torch.random.fork_rng(devices=[]):  # v2 draws from the global generator
            torch.manual_seed(_mixed(self.seed, epoch, draw))
            try:
                return self.samples[index]
            except DataError as error:
                return error  # a worker that raises would bury the message in a traceback


def _collate(
    memory_format: torch.memory_format,
    samples: list[tuple[Tensor, Tensor] | DataError],
) -> tuple[Tensor, Tensor] | DataError:
    for sample in samples:
        if isinstance(sample, DataError):
            return sample
    if not samples:  # the share of a batch that is smaller than the number of processes
        return torch.empty(0, 3, 1, 1), torch.empty(0, dtype=torch.int64)
    images, labels = zip(*samples, strict=True)
    return torch.stack(images).to(memory_format=memory_format), torch.stack(labels)


def _mixed(*numbers: int) -> int:
    """Mix numbers into one seed, different ones into unrelated seeds."""
    return int(numpy.random.SeedSequence(numbers).generate_state(1, numpy.uint64)[0] >> 1)
