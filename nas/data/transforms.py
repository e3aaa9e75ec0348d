"""Augmentation and normalisation of whole batches, as the DARTS recipe has them.

Shape legend: B images, C channels, H = W = image_size. Input uint8 (B, C, H, W) on any device,
output floating (B, C, H, W) on the same device.

The random numbers come from one CPU generator and only they travel to the device, so that a seed
gives the same batches everywhere.

Source: DARTS (arXiv:1806.09055), Sec. A.1; github.com/quark0/darts, `_data_transforms_cifar10`.
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from nas.data.records import DatasetInfo


class TrainTransform:
    """Crop at random, flip at random, normalise, cut out.

    Deviation: the reference pads by 4 at its only size, 32; ours pads by image_size // 8, which is
    the same there, so that other sizes are shifted as far in proportion.
    """

    def __init__(
        self,
        info: DatasetInfo,
        cutout: int = 0,
        *,
        dtype: torch.dtype = torch.float32,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        """Keep the settings.

        Args:
            info: Gives image_size, mean and std.
            cutout: Side of the square that is blanked, pixels; 0 is off, as in the search; the
                retraining on CIFAR has 16.
            dtype: Of the output.
            memory_format: Of the output, e.g. torch.channels_last.
        """
        self.padding = info.image_size // 8
        self.cutout = cutout
        self.normalize = EvalTransform(info, dtype=dtype, memory_format=memory_format)

    def __call__(
        self,
        images: Tensor,
        generator: Generator,
        total: int | None = None,
        part: slice = slice(None),
    ) -> Tensor:
        """Return an augmented, normalised batch.

        Args:
            images: uint8 (B, C, H, W), not modified.
            generator: On the CPU; each call advances it, the same whatever the part.
            total: Images of the whole batch; None is B.
            part: Which of those `images` are.
        """
        total, size = len(images) if total is None else total, images.shape[-1]
        offsets = torch.randint(2 * self.padding + 1, (2, total), generator=generator)[:, part]
        flips = (torch.rand(total, generator=generator) < 0.5)[part]
        output = self.normalize(crop_and_flip(images, offsets, flips, self.padding))
        if self.cutout:
            centers = torch.randint(size, (2, total), generator=generator)[:, part]
            cut_out_(output, centers, self.cutout)
        return output


class EvalTransform:
    """Normalise only: (x / 255 - mean) / std."""

    def __init__(
        self,
        info: DatasetInfo,
        *,
        dtype: torch.dtype = torch.float32,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        """Keep the settings; `dtype` and `memory_format` are those of the output."""
        self.dtype = dtype
        self.memory_format = memory_format
        mean = torch.tensor(info.mean, dtype=torch.float64).view(1, -1, 1, 1)
        std = torch.tensor(info.std, dtype=torch.float64).view(1, -1, 1, 1)
        # (x / 255 - mean) / std = x * scale + shift
        self._scale = (1.0 / (255.0 * std)).to(dtype)
        self._shift = (-mean / std).to(dtype)

    def __call__(self, images: Tensor, *_: object) -> Tensor:
        """Return a normalised batch; nothing here is random.

        Args:
            images: uint8 (B, C, H, W), not modified.
            _: What `TrainTransform` takes, so that a loader can call either.
        """
        if self._scale.device != images.device:  # once; not a transfer a batch
            self._scale, self._shift = self._scale.to(images.device), self._shift.to(images.device)
        output = images.to(self.dtype, memory_format=self.memory_format)
        return output.mul_(self._scale).add_(self._shift)


def crop_and_flip(images: Tensor, offsets: Tensor, flips: Tensor, padding: int) -> Tensor:
    """Pad with zeros, cut one window of the old size out of each image, mirror some.

    Args:
        images: (B, C, H, W), raw: the border is black, 0 before normalisation, as in the reference.
        offsets: int64 (2, B): top and left of each window, 0 to 2 * padding.
        flips: bool (B,): which are mirrored left to right.
        padding: Pixels on each side.

    Returns:
        (B, C, H, W) of the same type.
    """
    batch, channels, height, width = images.shape
    if batch == 0:  # the share of a process in a batch smaller than their number
        return images
    device = images.device
    padded_height, padded_width = height + 2 * padding, width + 2 * padding
    padded = F.pad(images, (padding, padding, padding, padding))
    # A mirrored window is a plain window of the mirrored image, 2p - left from its left edge.
    pool = torch.cat([padded, padded.flip(-1)])
    (top, left), flips = offsets.to(device), flips.to(device)
    left = torch.where(flips, 2 * padding - left, left)
    image = torch.arange(batch, device=device) + batch * flips
    # Where each row of each window starts in the pool's memory, (B, C, H); index_select then
    # copies whole rows, which is several times faster than indexing element by element.
    first_row = (image * channels * padded_height + top).view(-1, 1, 1)
    plane = torch.arange(channels, device=device).view(1, -1, 1) * padded_height
    row = torch.arange(height, device=device).view(1, 1, -1)
    start = (first_row + plane + row) * padded_width + left.view(-1, 1, 1)
    rows = pool.view(-1).unfold(0, width, 1)
    return rows.index_select(0, start.flatten()).view(images.shape)


def cut_out_(images: Tensor, centers: Tensor, length: int) -> Tensor:
    """Set a square of each image to zero, in place; what lies over the border is clipped.

    Args:
        images: Normalised (B, C, H, W), so that zero is the mean colour.
        centers: int64 (2, B): row and column, each 0 to H - 1 and W - 1.
        length: Side of the square, pixels; it covers [center - length // 2, center + length // 2).

    Source: Cutout (arXiv:1708.04552), Sec. 3.2, in the form of the DARTS code.
    """
    height, width = images.shape[-2:]
    device = images.device
    row, column = centers.to(device).unsqueeze(-1) - length // 2
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    reach = 2 * (length // 2)
    in_rows = (rows >= row) & (rows < row + reach)
    in_columns = (columns >= column) & (columns < column + reach)
    hidden = in_rows.view(-1, 1, height, 1) & in_columns.view(-1, 1, 1, width)
    return images.masked_fill_(hidden, 0.0)
