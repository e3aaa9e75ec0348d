"""The settings that a search and a retrain have in common: durability, and several processes."""

from dataclasses import dataclass
from typing import Literal

from nas.config.fields import bounded


@dataclass(frozen=True)
class RunConfig:
    """How a run is kept safe and spread over processes; none of it is part of a recipe."""

    checkpoint_minutes: float | None = bounded(10.0, above=0)
    """Write a checkpoint after so many minutes, besides that of each epoch; null is off."""
    checkpoint_steps: int | None = bounded(None, minimum=1)
    """Write a checkpoint after so many steps, besides that of each epoch; null is off."""
    keep_checkpoints: int = bounded(2, minimum=1, maximum=1000)
    """The last so many checkpoints are kept."""
    non_finite: Literal["stop", "skip"] = "stop"
    """A loss or gradient that is not finite stops the run, or the step is left out and counted."""
    sync_batchnorm: bool = False
    """BatchNorm over the batch of all processes, not of each; needs GPUs and torchrun."""
    reference_batch_size: int | None = bounded(None, minimum=1)
    """Multiply the learning rates of the weights by batch_size / this, the linear rule; null takes
    them as they are."""

    @property
    def learning_rate_scale(self) -> float:
        """What the learning rates of the weights are multiplied by.

        Source: Goyal et al. (arXiv:1706.02677), Sec. 2.1.
        """
        return self.batch_size / (self.reference_batch_size or self.batch_size)
