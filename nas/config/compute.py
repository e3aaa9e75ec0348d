"""How to compute: settings that change speed and memory, shared by search and retrain."""

from dataclasses import dataclass
from typing import Literal

from nas.config.fields import bounded
from nas.errors import ConfigError


@dataclass(frozen=True)
class ComputeConfig:
    """Settings of the arithmetic; the defaults are exact."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU when there is one."""
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = "fp32"
    """Of the forward pass; weights, alphas and optimisers stay fp32. tf32, which rounds what is
    multiplied to 10 bits, and fp16 need a GPU."""
    memory_format: Literal["auto", "channels_last", "contiguous"] = "auto"
    """Order of an image's numbers in memory; auto is channels_last."""
    compile: Literal["auto", "off", "default", "reduce-overhead"] = "auto"
    """torch.compile and its mode; reduce-overhead, of a retrain and without --micro_batch, also
    records CUDA graphs. auto is off."""
    micro_batch: int | None = bounded(None, minimum=2)
    """Images in a forward and backward pass; gradients are summed to those of a whole batch, but
    BatchNorm then normalises over the micro-batch. Must divide --batch_size; null is all of it."""

    def check_compute(self, batch_size: int) -> None:
        """Raise ConfigError if the micro-batch does not divide the batch or cannot be compiled."""
        if self.micro_batch is not None and batch_size % self.micro_batch:
            allowed = [n for n in range(2, batch_size + 1) if batch_size % n == 0]
            raise ConfigError(
                f"--micro_batch: found {self.micro_batch}, which does not divide --batch_size "
                f"{batch_size}; allowed are {', '.join(map(str, allowed))}"
            )
        if self.micro_batch is not None and self.compile == "reduce-overhead":
            raise ConfigError(
                "--micro_batch: not with --compile reduce-overhead, whose CUDA graphs write each "
                "pass over the one before; use --compile default or whole batches"
            )
