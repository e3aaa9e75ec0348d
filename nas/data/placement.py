"""Where a data set and its batches lie."""

import torch
from torch import Tensor

MAX_SHARE = 0.5
"""Images may take so much of the free memory of a GPU; the rest is for computing."""


def place_images(images: Tensor, device: torch.device | str) -> Tensor:
    """Move raw images to the device where they fit, and put the channels of a pixel side by side.

    Args:
        images: uint8 (N, C, H, W).
        device: Where batches are used.

    Returns:
        The images in channels_last, on the device, or on the CPU where they would take more than
        half of the GPU's free memory.
    """
    device = torch.device(device)
    if images.device.type != device.type and not _fits(images, device):
        device = images.device
    # Not `.to(memory_format=...)`, which copies an image of one channel though it has both forms.
    return images.to(device).contiguous(memory_format=torch.channels_last)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a small tensor to the device; to a GPU from pinned memory, without waiting for it."""
    if device.type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def _fits(images: Tensor, device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return images.nbytes <= MAX_SHARE * free
