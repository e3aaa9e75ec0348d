"""ImageNet: too large for memory, so worker processes decode its images as they are used.

Layout: ROOT/train/<class>/*.JPEG and ROOT/val/<class>/*.JPEG, that of torchvision's ImageFolder.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import InterpolationMode, v2

from nas.data.imagefolder import IMAGENET_MEAN, IMAGENET_STD, list_files, read_all, read_image
from nas.data.loaders import check_position
from nas.data.records import DatasetInfo
from nas.distributed.launch import WHOLE, Share
from nas.errors import CheckpointError, DataError

DEFAULT_SIZE = 224
CROP_RATIO = 0.875
"""Evaluation: the short side is brought to size / 0.875 (256 for 224), the centre is kept."""


@dataclass(frozen=True)
class ImageFiles:
    """The images of one split as files."""

    info: DatasetInfo
    paths: Sequence[Path]
    labels: Tensor
    """int64 (N,)."""
    skipped: tuple[str, ...] = ()
    """What was wrong with each file that was left out, its name first."""

    def __len__(self) -> int:
        return len(self.paths)


def load_imagenet(
    root: Path,
    *,
    split: str,
    image_size: int | None,
    max_images: int | None,
    seed: int,
    skip_corrupt: bool = False,
) -> ImageFiles:
    """List one split; `image_size` is that of the crops, pixels, 224 when None.

    With `skip_corrupt` every file is read once here, and the damaged ones are left out; without it
    none is opened, and a damaged one is an error when its turn comes.

    Raises:
        DataError: A folder is missing, empty or unreadable, or the classes of the splits differ.
    """
    class_names, paths, labels = list_files(root, split=split, max_images=max_images, seed=seed)
    size = image_size or DEFAULT_SIZE
    info = DatasetInfo("imagenet", class_names, size, IMAGENET_MEAN, IMAGENET_STD)
    if not skip_corrupt:
        return ImageFiles(info, paths, labels)
    readable, skipped = read_all(
        lambda index: read_image(paths[index]), labels, class_names, skip_corrupt
    )
    kept = [paths[index] for index in readable.tolist()]
    return ImageFiles(info, kept, labels[readable], skipped)


def train_transform(info: DatasetInfo, color_jitter: float = 0.0) -> v2.Transform:
    """Build the training transform: random resized crop, flip, colour jitter, normalisation.

    Bilinear, antialiased; areas of 8 to 100 %, ratios of 3/4 to 4/3.

    Args:
        info: Gives image_size, mean and std.
        color_jitter: Range of brightness, contrast and saturation; the hue has half of it. DARTS:
            0.4, MobileNeXt: 0.

    Source: DARTS (arXiv:1806.09055), Sec. 3.3, and its code; Inception crops (arXiv:1409.4842).
    """
    jitter = [color_jitter] * 3 + [color_jitter / 2]
    return v2.Compose(
        [
            v2.RandomResizedCrop(info.image_size, interpolation=InterpolationMode.BILINEAR),
            v2.RandomHorizontalFlip(),
            *([v2.ColorJitter(*jitter)] if color_jitter else []),
            *_to_tensor(info),
        ]
    )


def eval_transform(info: DatasetInfo) -> v2.Transform:
    """Build the evaluation transform: short side to size / 0.875, centre crop, normalisation."""
    short_side = round(info.image_size / CROP_RATIO)
    return v2.Compose(
        [
            v2.Resize(short_side, interpolation=InterpolationMode.BILINEAR),
            v2.CenterCrop(info.image_size),
            *_to_tensor(info),
        ]
    )


def _to_tensor(info: DatasetInfo) -> list[v2.Transform]:
    return [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(info.mean, info.std),
        v2.ToPureTensor(),
    ]


class FileLoader:
    """Hand out one epoch of batches after another, decoded by workers, with exact resume.

    The random numbers of an image depend on seed, epoch and image alone, so that batches are the
    same whatever the number of workers, and whether or not the run was stopped in between. A loop
    that is left early is continued by the next one, as with `TensorLoader`.
    """

    def __init__(
        self,
        files: ImageFiles,
        batch_size: int,
        *,
        transform: v2.Transform,
        shuffle: bool,
        seed: int,
        num_workers: int = 0,
        pin_memory: bool = False,
        memory_format: torch.memory_format = torch.channels_last,
        share: Share = WHOLE,
    ):
        """Stand at the beginning.

        Args:
            files: What to read.
            batch_size: 1 to N, over all processes.
            transform: From a PIL image to a float (C, H, W).
            shuffle: Whether each epoch has a new order.
            seed: Of the orders and of the transforms.
            num_workers: Processes that decode; 0 decodes in this one.
            pin_memory: For faster copies to a GPU.
            memory_format: Of the batches.
            share: What this process takes of each batch; see `Share` for the last one of an epoch.

        Raises:
            DataError: `batch_size` is out of range.
        """
        if not 1 <= batch_size <= len(files):
            raise DataError(
                f"--batch_size: found {batch_size}, but this part of the data has {len(files)} "
                f"images; allowed are 1 to {len(files)}; lower it or use more images"
            )
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.share = share
        self._num_used = share.num_used(len(files), batch_size, even=shuffle)
        self._decoder = _Decoder(files, transform, seed)
        self._workers = {"num_workers": num_workers, "pin_memory": pin_memory}
        self._collate = partial(_collate, memory_format)
        self._epoch = 0
        self._position = 0

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch."""
        return -(-self._num_used // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (float (B, C, H, W), int64 (B,)) up to the end of the current epoch."""
        epoch = self._epoch
        batches = [
            [(epoch, index) for index in batch[self.share.of(len(batch))]]
            for batch in self._order(epoch).split(self.batch_size)
        ]
        loader = DataLoader(
            self._decoder,
            batch_sampler=batches[self._position :],
            collate_fn=self._collate,
            generator=torch.Generator(),  # DataLoader would draw from the global one
            **self._workers,
        )
        for batch in loader:
            if isinstance(batch, DataError):
                raise batch
            self._position += 1
            if self._position == len(self):
                self._epoch, self._position = epoch + 1, 0
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the stream of batches; may be taken between any two batches."""
        return {
            "epoch": self._epoch,
            "position": self._position,
            "num_images": len(self._decoder),
            "batch_size": self.batch_size,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a place in the stream: the batches that follow are the same to the last bit.

        Raises:
            CheckpointError: The state is of a loader with other images or another batch size.
        """
        for name, own in (("num_images", len(self._decoder)), ("batch_size", self.batch_size)):
            if state[name] != own:
                raise CheckpointError(
                    f"data loader: the saved state has {name} {state[name]}, this run has {own}; "
                    "resume with the settings that the run was started with"
                )
        check_position(state["position"], len(self))
        if type(state["epoch"]) is not int or state["epoch"] < 0:
            raise CheckpointError("data loader: the saved state has no epoch; it is damaged")
        self._epoch, self._position = state["epoch"], state["position"]

    def _order(self, epoch: int) -> Tensor:
        if not self.shuffle:
            return torch.arange(len(self._decoder))
        generator = torch.Generator().manual_seed(_mixed(self.seed, epoch, 0))
        return torch.randperm(len(self._decoder), generator=generator)[: self._num_used]


class _Decoder(Dataset):
    """Decodes and transforms the image (epoch, index)."""

    def __init__(self, files: ImageFiles, transform: v2.Transform, seed: int):
        self.files = files
        self.transform = transform
        self.seed = seed

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: tuple[int, Tensor]) -> tuple[Tensor, Tensor] | DataError:
        epoch, index = place[0], int(place[1])
        try:
            image = read_image(self.files.paths[index])
        except DataError as error:
            return error  # a worker that raises would bury the message in a traceback
        with torch.random.fork_rng(devices=[]):  # v2 draws from the global generator
            torch.manual_seed(_mixed(self.seed, epoch, index + 1))
            return self.transform(image), self.files.labels[index]


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
