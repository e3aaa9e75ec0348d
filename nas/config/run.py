"""The settings that search and training share: durability, and several processes."""

from dataclasses import dataclass
from typing import Literal

from nas.config.fields import setting


@dataclass(frozen=True)
class RunConfig:
    """How a run is kept safe and spread over processes; none of it is part of a recipe."""

    checkpoint_minutes: float | None = setting(10.0, above=0, group="durability")
    """Also save a checkpoint every N minutes, in addition to every epoch; null disables."""
    non_finite: Literal["stop", "skip"] = setting("stop", group="durability")
    """What to do if a loss or gradient is not finite: stop the run, or skip the step and count
    it."""
    sync_batchnorm: bool = setting(False, group="processes")
    """Compute BatchNorm statistics over the batch of all processes; needs GPUs and torchrun."""
    reference_batch_size: int | None = setting(None, minimum=1, group="processes")
    """Scale the learning rates of the weights by batch_size / reference_batch_size (the linear
    scaling rule); null does not scale."""

    @property
    def learning_rate_scale(self) -> float:
        """The factor of the learning rates of the weights.

        Source: Goyal et al. (arXiv:1706.02677), Sec. 2.1.
        """
        batch_size: int = self.batch_size  # type: ignore[attr-defined]  # of search and training
        return batch_size / (self.reference_batch_size or batch_size)
