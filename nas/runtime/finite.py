"""What happens when a loss or a gradient is not finite: the run stops, or the step is left out."""

import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from nas.errors import TrainingError

ADVICE = "try a lower learning_rate"


class FiniteGuard:
    """Checks the numbers of a step before the step is taken.

    The numbers must be the same on all ranks: a decision on a rank's own value would leave the
    other ranks waiting.
    """

    def __init__(
        self,
        policy: Literal["stop", "skip"],
        device: torch.device,
        error: Callable[[str, str], TrainingError],
    ):
        """Start without a number that waits to be checked.

        Args:
            policy: "stop" raises an error, "skip" leaves the step out and counts it.
            device: Where the numbers are computed.
            error: Makes an error from a problem and an advice; it knows where the run is.
        """
        self.policy = policy
        self.device = device
        self.num_skipped = 0
        """Steps of this epoch that were left out."""
        self._error = error
        self._deferred: tuple[str, Mapping[str, Tensor | float]] | None = None

    def expect_finite(self, step: str, **values: Tensor | float) -> bool:
        """Check numbers together with those of the next `check_finite`, where that is safe.

        Reading a result back from a GPU leaves the GPU idle. Under the policy "stop" nothing is
        saved before the next check, so one wait serves both. Arguments and result are those of
        `check_finite`.
        """
        if self.policy == "skip" or self.device.type == "cpu":
            return self.check_finite(step, **values)
        self.check_deferred()
        self._deferred = (step, values)
        return True

    def check_finite(self, step: str, **values: Tensor | float) -> bool:
        """Return whether a step may be taken.

        Args:
            step: Which step it is, for the error.
            values: Numbers by name, such as the loss and the norm of the gradient.

        Returns:
            False if a number is not finite and the policy is "skip".

        Raises:
            TrainingError: A number is not finite and the policy is "stop".
        """
        deferred, self._deferred = self._deferred, None
        checks = [torch.stack([torch.as_tensor(value) for value in values.values()])]
        if deferred is not None:
            checks += [torch.as_tensor(value) for value in deferred[1].values()]
        if torch.stack([numbers.isfinite().all() for numbers in checks]).all():
            return True
        if deferred is not None:
            self.check_finite(deferred[0], **deferred[1])  # raises if the fault began there
        if self.policy == "skip":
            self.num_skipped += 1
            return False
        numbers = zip(values, checks[0].tolist(), strict=True)
        listed = ", ".join(f"{name} {number:g}" for name, number in numbers)
        raise self._error(f"{step}: not finite: {listed}", f"{ADVICE}, or non_finite skip")

    def check_deferred(self) -> None:
        """Check what `expect_finite` put off, before the state may be saved."""
        if self._deferred is not None:
            step, values = self._deferred
            self._deferred = None
            self.check_finite(step, **values)

    def check_measured(self, loss: float, split: str) -> None:
        """Raise TrainingError if a measured loss is not finite."""
        if not math.isfinite(loss):
            raise self._error(f"the {split} loss is {loss}", ADVICE)

    def check_any_step(self, num_samples: int, num_steps: int) -> None:
        """Raise TrainingError if no step of an epoch was taken."""
        if num_samples == 0:
            raise self._error(f"none of {num_steps} steps had a finite loss and gradient", ADVICE)

    def remember_buffers(self, net: nn.Module) -> Callable[[], None]:
        """Return a function that restores running statistics if the step is left out."""
        if self.policy == "stop":
            return lambda: None
        saved = [(buffer, buffer.clone()) for buffer in net.buffers()]

        def restore() -> None:
            for buffer, value in saved:
                buffer.copy_(value)

        return restore
