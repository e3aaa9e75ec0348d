"""Augmentation and normalization of whole batches, as the DARTS recipe has them.

Shape legend: B images, C channels, H = W = image_size. Input uint8 (B, C, H, W) on any device,
output floating (B, C, H, W) on the same device.

The random numbers come from one CPU generator, all of a batch at once, and only they travel to the
device, so that a seed gives the same batches everywhere.

Source: DARTS (arXiv:1806.09055), Sec. A.1; github.com/quark0/darts, `_data_transforms_cifar10`.
"""

import torch
from torch import Generator, Tensor

from nas.data.image_sets import DatasetInfo
from nas.errors import ConfigError

FLIP_ADVICE = " (where left and right differ, set horizontal_flip to false)"


class TrainTransform:
    """Crop at random, flip at random, normalize, cut out.

    Deviation: the reference pads by 4 at its only size, 32; ours pads by image_size // 8, which is
    the same there, so that other sizes are shifted as far in proportion.
    """

    def __init__(
        self,
        info: DatasetInfo,
        cutout: int = 0,
        *,
        horizontal_flip: bool = True,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Keep the settings.

        Args:
            info: Gives image_size, mean and std.
            cutout: Side of the square that is blanked, pixels; 0 is off, as in the search; training
                on CIFAR has 16.
            horizontal_flip: Whether half of the images are mirrored left to right.
            dtype: Type of the output.

        Raises:
            ConfigError: The square would blank whole images.
        """
        if cutout >= info.image_size:
            raise ConfigError(
                f"cutout: found {cutout}, which blanks whole images of {info.image_size} x "
                f"{info.image_size}; allowed are 0 (off) to {info.image_size - 1}; in proportion "
                f"to the 16 of images of 32 x 32 it is {info.image_size // 2}"
            )
        self.image_size = info.image_size
        self.padding = info.image_size // 8
        self.cutout = cutout
        self.horizontal_flip = horizontal_flip
        self.normalize = EvalTransform(info, dtype=dtype)

    def __str__(self) -> str:
        """Say what is done to the images."""
        steps = [f"random crops padded by {self.padding}"] if self.padding else []
        steps += ["horizontal flips"] if self.horizontal_flip else ["no flips"]
        steps += [f"cutout {self.cutout}"] if self.cutout else ["no cutout"]
        return ", ".join(steps)

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Return an augmented, normalized batch.

        Args:
            images: uint8 (B, C, H, W), not modified.
            generator: On the CPU; each call advances it.
        """
        return self.apply(images, self.draw(generator, len(images)).to(images.device))

    def draw(self, generator: Generator, total: int) -> Tensor:
        """Draw what is random about a batch.

        Args:
            generator: On the CPU; each call advances it, as far with flips as without.
            total: Images of the batch, over all processes.

        Returns:
            int64 (K, total): top and left of each window, whether it is mirrored and, with a
            cutout, row and column of its center.
        """
        offsets = torch.randint(2 * self.padding + 1, (2, total), generator=generator)
        flips = torch.rand(1, total, generator=generator) < 0.5
        if not self.horizontal_flip:
            flips = torch.zeros_like(flips)
        if not self.cutout:
            return torch.cat([offsets, flips])
        centers = torch.randint(self.image_size, (2, total), generator=generator)
        return torch.cat([offsets, flips, centers])

    def apply(
        self,
        images: Tensor,
        draws: Tensor,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> Tensor:
        """Return the batch that was drawn.

        Args:
            images: uint8 (B, C, H, W), not modified; fastest in channels_last.
            draws: (K, B), columns of what `draw` returned, on the device of the images.
            memory_format: The memory format of the output.
        """
        cropped = crop_and_flip(images, draws[:2], draws[2] > 0, self.padding)
        output = self.normalize.apply(cropped, None, memory_format)
        return cut_out_(output, draws[3:], self.cutout) if self.cutout else output


class EvalTransform:
    """Normalize only: (x / 255 - mean) / std."""

    def __init__(self, info: DatasetInfo, *, dtype: torch.dtype = torch.float32) -> None:
        """Keep the settings; `dtype` is that of the output."""
        self.dtype = dtype
        mean = torch.tensor(info.mean, dtype=torch.float64).view(1, -1, 1, 1)
        std = torch.tensor(info.std, dtype=torch.float64).view(1, -1, 1, 1)
        # (x / 255 - mean) / std = x * scale + shift
        self._scale = (1.0 / (255.0 * std)).to(dtype)
        self._shift = (-mean / std).to(dtype)

    def __call__(self, images: Tensor, _: Generator | None = None) -> Tensor:
        """Return a normalized batch; nothing here is random, so no generator is needed."""
        return self.apply(images)

    def draw(self, _: Generator, total: int) -> Tensor:
        """Return (0, total): nothing is random."""
        return torch.empty((0, total), dtype=torch.int64)

    def apply(
        self,
        images: Tensor,
        _: Tensor | None = None,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> Tensor:
        """Return a normalized batch.

        Args:
            images: uint8 (B, C, H, W), not modified.
            _: What `TrainTransform` takes, so that a loader can call either.
            memory_format: The memory format of the output.
        """
        if self._scale.device != images.device:  # once; not a transfer a batch
            self._scale, self._shift = self._scale.to(images.device), self._shift.to(images.device)
        output = images.to(self.dtype, memory_format=memory_format)
        if not _is_by_pixel(output):
            return output.mul_(self._scale).add_(self._shift)
        width = output.shape[-1]
        rows = _rows(output)
        rows.mul_(self._scale.flatten().repeat(width)).add_(self._shift.flatten().repeat(width))
        return output


def crop_and_flip(images: Tensor, offsets: Tensor, flips: Tensor, padding: int) -> Tensor:
    """Pad with zeros, cut one window of the old size out of each image, mirror some.

    Args:
        images: (B, C, H, W), raw: the border is black, 0 before normalization, as in the reference.
        offsets: int64 (2, B): top and left of each window, 0 to 2 * padding.
        flips: bool (B,): which are mirrored left to right.
        padding: Pixels on each side.

    Returns:
        (B, C, H, W) of the same type, in channels_last.
    """
    batch, channels, height, width = images.shape
    if batch == 0:  # the share of a process in a batch smaller than their number
        return images
    device = images.device
    (top, left) = offsets
    pixels = images.permute(0, 2, 3, 1)
    padded_height, padded_width = height + 2 * padding, width + 2 * padding
    # A mirrored window is a plain window of the mirrored image, 2p - left from its left edge.
    pool = pixels.new_zeros((2, batch, padded_height, padded_width, channels))
    inside = pool[:, :, padding : padding + height, padding : padding + width]
    inside[0] = pixels
    inside[1] = pixels.flip(2)
    left = torch.where(flips, 2 * padding - left, left)
    image = torch.arange(batch, device=device) + batch * flips
    # Where each row of each window starts in the pool, pixels, (B, H); index_select then copies
    # whole rows, which is several times faster than indexing element by element.
    row = (image * padded_height + top).unsqueeze(1) + torch.arange(height, device=device)
    start = row * padded_width + left.unsqueeze(1)
    rows = pool.view(-1).unfold(0, width * channels, channels)
    windows = rows.index_select(0, start.flatten())
    return windows.view(batch, height, width, channels).permute(0, 3, 1, 2)


def cut_out_(images: Tensor, centers: Tensor, length: int) -> Tensor:
    """Set a square of each image to zero, in place; what is over the border is clipped.

    Args:
        images: Normalized (B, C, H, W), so that zero is the mean color.
        centers: int64 (2, B): row and column, each 0 to H - 1 and W - 1.
        length: Side of the square, pixels; it covers [center - length // 2, center + length // 2).

    Source: Cutout (arXiv:1708.04552), Sec. 3.2, in the form of the DARTS code.
    """
    channels, height, width = images.shape[1:]
    row, column = centers.unsqueeze(-1) - length // 2
    reach = 2 * (length // 2)
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    in_rows = ((rows >= row) & (rows < row + reach)).to(images.dtype)
    in_columns = ((columns >= column) & (columns < column + reach)).to(images.dtype)
    if _is_by_pixel(images):
        rest = _rows(images)
        hidden = in_rows.unsqueeze(2) * in_columns.repeat_interleave(channels, 1).unsqueeze(1)
    else:
        rest = images
        hidden = in_rows.view(-1, 1, height, 1) * in_columns.view(-1, 1, 1, width)
    # Products are several times faster than masked_fill; adding 0 turns -0 into 0.
    rest.mul_(1 - hidden).add_(0.0)
    return images


def _is_by_pixel(images: Tensor) -> bool:
    return images.is_contiguous(memory_format=torch.channels_last)


def _rows(images: Tensor) -> Tensor:
    """Show the memory of a batch in channels_last as (B, H, W * C): long rows are fast."""
    return images.permute(0, 2, 3, 1).flatten(2)
