"""How to compute: device, number format, memory format, compilation, micro-batches.

Source: autocast and loss scaling as in *Mixed Precision Training* (arXiv:1710.03740).
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.config import ComputeConfig
from nas.errors import ConfigError
from nas.runtime.device import select_device

Batch = tuple[Tensor, Tensor]
"""Images (N, C, H, W) and class indices (N,)."""
_AUTOCAST_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_MEMORY_FORMATS = {
    "channels_last": torch.channels_last,
    "contiguous": torch.contiguous_format,
}


@dataclass(frozen=True)
class Compute:
    """The arithmetic of a run; the defaults are plain fp32."""

    device: torch.device
    autocast_dtype: torch.dtype | None = None
    """Of the forward pass; None is that of the weights."""
    memory_format: torch.memory_format = torch.preserve_format
    """Of weights and images; preserve_format leaves both as they come."""
    compile_mode: str | None = None
    """Of torch.compile; None does not compile."""
    tf32: bool = False
    """Whether a GPU may round the factors of fp32 products to TF32; see `set_fp32_products`."""
    micro_batch: int | None = None
    """Images in one forward and backward pass; None takes a batch as it comes."""

    def place(self, net: nn.Module) -> nn.Module:
        """Move a network to the device, in the memory format; compile it if asked to."""
        net = net.to(self.device, memory_format=self.memory_format)
        if self.compile_mode is not None:
            net.compile(mode=self.compile_mode)
        return net

    def to_device(self, batch: Batch) -> Batch:
        """Move a batch to the device, in the memory format."""
        images, targets = batch
        return (
            images.to(self.device, memory_format=self.memory_format, non_blocking=True),
            targets.to(self.device, non_blocking=True),
        )

    def autocast(self) -> AbstractContextManager:
        """Return the context of a forward pass and its loss."""
        return torch.autocast(
            self.device.type, self.autocast_dtype, enabled=self.autocast_dtype is not None
        )

    def scaler(self) -> torch.amp.GradScaler:
        """Return a new loss scaler, which does nothing but in fp16."""
        return torch.amp.GradScaler(self.device.type, enabled=self.autocast_dtype is torch.float16)

    def split(self, batch: Batch) -> Iterator[tuple[Batch, float]]:
        """Yield a batch in micro-batches, each with its share of the batch's images.

        They are as few as `micro_batch` allows and as equal as can be, so that the last batch of an
        epoch leaves no remainder of one image, on which BatchNorm cannot train.

        The mean loss of the batch is the sum of share * mean loss over the micro-batches, and so
        is its gradient, wherever one image's output does not depend on the others. BatchNorm in
        training is where it does.
        """
        if self.micro_batch is None:
            yield batch, 1.0
            return
        images, targets = batch
        num = len(targets)
        # At most one part for two images: of three, two parts would be one image and two.
        num_parts = max(1, min(-(-num // self.micro_batch), num // 2))
        parts = (images.tensor_split(num_parts), targets.tensor_split(num_parts))
        for part in zip(*parts, strict=True):
            yield part, len(part[1]) / num if num else 1.0


def set_fp32_products(*, tf32: bool) -> None:
    """Set how convolutions and matrix products of this process treat fp32 on a GPU.

    Left to itself, torch lets cuDNN use TF32, with 10 bits in place of 23, and cuBLAS not. The
    newer `fp32_precision` of single operators is not set: after it torch.export, which reads these
    flags, raises (torch 2.14).
    """
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32


def select_compute(config: ComputeConfig) -> Compute:
    """Return the arithmetic that the settings ask for, and set that of fp32 in this process.

    Raises:
        ConfigError: The device is not there or cannot compute in that precision.
    """
    device = select_device(config.device)
    precision = config.precision
    mode = None if config.compile in ("auto", "off") else config.compile
    if precision == "tf32" and device.type != "cuda":
        raise ConfigError("--precision tf32: needs a GPU; use bf16 or fp32 on a CPU")
    if precision == "tf32" and torch.cuda.get_device_capability(device) < (8, 0):
        raise ConfigError("--precision tf32: this GPU has no TF32; use fp16 or fp32")
    if precision == "fp16" and device.type != "cuda":
        raise ConfigError("--precision fp16: needs a GPU; use bf16 or fp32 on a CPU")
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(False):
        raise ConfigError("--precision bf16: this GPU has no bfloat16; use fp16 or fp32")
    if mode is not None and (reason := _why_not_compiled(device)):
        print(f"--compile {mode} has no effect: {reason}", file=sys.stderr)
        mode = None
    set_fp32_products(tf32=precision == "tf32")
    return Compute(
        device,
        _AUTOCAST_DTYPES.get(precision),
        torch.channels_last,
        compile_mode=mode,
        tf32=precision == "tf32",
        micro_batch=config.micro_batch,
    )


def describe_compute(compute: Compute) -> str:
    """Write the arithmetic in a few words, for the log."""
    names = {dtype: name for name, dtype in _AUTOCAST_DTYPES.items()}
    precision = names.get(compute.autocast_dtype, "tf32" if compute.tf32 else "fp32")
    layout = next(name for name, f in _MEMORY_FORMATS.items() if f is compute.memory_format)
    compiled = f"compiled ({compute.compile_mode})" if compute.compile_mode else "not compiled"
    parts = f", micro-batches of {compute.micro_batch}" if compute.micro_batch else ""
    return f"{compute.device}, {precision}, {layout}, {compiled}{parts}"


def _why_not_compiled(device: torch.device) -> str | None:
    """Return why torch.compile does not work here, or None, found by compiling an addition."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(1, device=device))
    except Exception as cause:  # whatever a compiler or its absence leads to
        lines = [line for line in str(cause).splitlines() if line.strip()]
        return lines[0] if lines else type(cause).__name__
    return None
