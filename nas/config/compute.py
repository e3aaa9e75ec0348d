"""How to compute: settings that change speed and memory, shared by search and training."""

from dataclasses import dataclass
from typing import Literal

from nas.config.fields import setting
from nas.errors import ConfigError


@dataclass(frozen=True)
class DeviceConfig:
    """Where and how precisely to compute; the defaults are exact."""

    device: Literal["auto", "cpu", "cuda"] = setting("auto", group="arithmetic")
    """Where to compute; auto uses a GPU if there is one."""
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = setting("fp32", group="arithmetic")
    """Precision of the forward pass; parameters and optimizer state stay fp32. tf32 and fp16
    require a GPU."""


@dataclass(frozen=True)
class ComputeConfig(DeviceConfig):
    """Settings of the arithmetic of a training; the defaults are exact."""

    compile: Literal["auto", "off", "default", "reduce-overhead"] = setting(
        "auto", group="arithmetic"
    )
    """Mode of torch.compile; auto is off. reduce-overhead also records CUDA graphs; it works for
    training only, without micro_batch."""
    micro_batch: int | None = setting(None, minimum=2, group="arithmetic")
    """Images per forward and backward pass, to save memory. Gradients are summed to those of a
    whole batch, but BatchNorm normalizes over the micro-batch. Must divide batch_size; null uses
    whole batches."""

    def check_compute(self, batch_size: int) -> None:
        """Raise ConfigError if the micro-batch does not divide the batch or cannot be compiled."""
        if self.micro_batch is not None and batch_size % self.micro_batch:
            allowed = [n for n in range(2, batch_size + 1) if batch_size % n == 0]
            raise ConfigError(
                f"micro_batch: found {self.micro_batch}, which does not divide `batch_size` "
                f"{batch_size}; allowed are {', '.join(map(str, allowed))}"
            )
        if self.micro_batch is not None and self.compile == "reduce-overhead":
            raise ConfigError(
                "micro_batch: not with `compile` reduce-overhead, whose CUDA graphs overwrite the "
                "results of the previous pass; use `compile` default or whole batches"
            )
