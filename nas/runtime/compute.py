"""How a run computes: device, precision, memory format, compilation, micro-batches.

Source: autocast and loss scaling as in *Mixed Precision Training* (arXiv:1710.03740).
"""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.config import ComputeConfig, DeviceConfig
from nas.errors import ConfigError
from nas.runtime.allocator import keep_freed_memory
from nas.runtime.device import select_device

Batch = tuple[Tensor, Tensor]
"""Images (N, C, H, W) and class indices (N,)."""
_log = logging.getLogger(__name__)
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
    """Precision of the forward pass; None is that of the weights."""
    memory_format: torch.memory_format = torch.preserve_format
    """Memory format of weights and images; preserve_format changes neither."""
    compile_mode: str | None = None
    """Mode of torch.compile; None does not compile."""
    tf32: bool = False
    """Whether a GPU may round factors of fp32 products to TF32; see `set_fp32_products`."""
    micro_batch: int | None = None
    """Images in one forward and backward pass; None takes the whole batch."""

    @property
    def folds_norms(self) -> bool:
        """Whether to measure with folded BatchNorms: on a CPU, as the network is."""
        is_plain = self.autocast_dtype is None and self.compile_mode is None
        return self.device.type == "cpu" and is_plain

    def place(self, net: nn.Module) -> nn.Module:
        """Move a network to the device, in the memory format; compile it if the mode is set."""
        net = net.to(self.device).to(memory_format=self.memory_format)
        if self.compile_mode is not None:
            net.compile(mode=self.compile_mode)
        return net

    def to_device(self, batch: Batch) -> Batch:
        """Move a batch to the device, in the memory format; loaders yield such batches."""
        images, targets = batch
        return (
            images.to(self.device, memory_format=self.memory_format, non_blocking=True),
            targets.to(self.device, non_blocking=True),
        )

    def autocast(self) -> AbstractContextManager:
        """Return the context for a forward pass and its loss."""
        return torch.autocast(
            self.device.type, self.autocast_dtype, enabled=self.autocast_dtype is not None
        )

    def scaler(self) -> torch.amp.GradScaler:
        """Return a new loss scaler, which is active in fp16 only."""
        return torch.amp.GradScaler(self.device.type, enabled=self.autocast_dtype is torch.float16)

    def split(self, batch: Batch) -> Iterator[tuple[Batch, float]]:
        """Yield a batch in micro-batches, each with its share of the batch's images.

        There are as few micro-batches as `micro_batch` allows, of nearly equal size, so that the
        last batch of an epoch leaves no remainder of one image, on which BatchNorm cannot train.

        The mean loss of the batch is the sum of share * mean loss over the micro-batches, and the
        same holds for its gradient, as long as the output for an image does not depend on other
        images. With BatchNorm in training mode it does.
        """
        if self.micro_batch is None:
            yield batch, 1.0
            return
        images, targets = batch
        num = len(targets)
        # At least two images each: three images stay together, else one would be alone.
        pieces = max(1, min(-(-num // self.micro_batch), num // 2))
        for piece in zip(images.tensor_split(pieces), targets.tensor_split(pieces), strict=True):
            yield piece, len(piece[1]) / num if num else 1.0


def scale_of(scaler: torch.amp.GradScaler, like: Tensor) -> Tensor | float:
    """Return the factor of a loss scaler; its `get_scale` would wait for the GPU.

    Args:
        scaler: See `Compute.scaler`.
        like: A tensor on the device.
    """
    return scaler.scale(torch.ones((), device=like.device)) if scaler.is_enabled() else 1.0


def set_fp32_products(*, tf32: bool) -> None:
    """Set how convolutions and matrix products of this process treat fp32 on a GPU.

    By default torch lets cuDNN use TF32, with 10 bits instead of 23, but not cuBLAS. The newer
    `fp32_precision` of single operators is not set, because torch.export, which reads these flags,
    then raises (torch 2.14).
    """
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32


def select_compute(config: DeviceConfig) -> Compute:
    """Return the arithmetic of the settings; set what it needs in this process.

    That is the treatment of fp32 and, on a CPU, that freed memory is kept.

    Raises:
        ConfigError: The device does not exist or does not support the precision.
    """
    device = select_device(config.device)
    precision = config.precision
    steps = config if isinstance(config, ComputeConfig) else ComputeConfig()
    mode = None if steps.compile in ("auto", "off") else steps.compile
    if precision == "tf32" and device.type != "cuda":
        raise ConfigError("precision: tf32 needs a GPU; use bf16 or fp32 on a CPU")
    if precision == "tf32" and torch.cuda.get_device_capability(device) < (8, 0):
        raise ConfigError("precision: this GPU does not support tf32; use fp16 or fp32")
    if precision == "fp16" and device.type != "cuda":
        raise ConfigError("precision: fp16 needs a GPU; use bf16 or fp32 on a CPU")
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(False):
        raise ConfigError("precision: this GPU does not support bf16; use fp16 or fp32")
    if mode is not None and (reason := _why_not_compiled(device)):
        _log.warning("`compile` %s has no effect: %s", mode, reason)
        mode = None
    set_fp32_products(tf32=precision == "tf32")
    if device.type == "cpu":
        keep_freed_memory()
    return Compute(
        device,
        _AUTOCAST_DTYPES.get(precision),
        torch.channels_last,
        compile_mode=mode,
        tf32=precision == "tf32",
        micro_batch=steps.micro_batch,
    )


def describe_compute(compute: Compute) -> str:
    """Return the arithmetic in a few words, for the log."""
    names = {dtype: name for name, dtype in _AUTOCAST_DTYPES.items()}
    plain = "tf32" if compute.tf32 else "fp32"
    precision = names[compute.autocast_dtype] if compute.autocast_dtype else plain
    layout = next(name for name, f in _MEMORY_FORMATS.items() if f is compute.memory_format)
    compiled = f"compiled ({compute.compile_mode})" if compute.compile_mode else "not compiled"
    pieces = f", micro-batches of {compute.micro_batch}" if compute.micro_batch else ""
    return f"{compute.device}, {precision}, {layout}, {compiled}{pieces}"


def _why_not_compiled(device: torch.device) -> str | None:
    """Compile an addition; return why torch.compile does not work here, or None."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(1, device=device))
    except Exception as cause:  # a compiler can fail in many ways
        lines = [line for line in str(cause).splitlines() if line.strip()]
        return lines[0] if lines else type(cause).__name__
    return None
