"""What happens when a loss or a gradient is not finite: the run stops, or the step is left out."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from nas.errors import TrainingError

ADVICE = "try a lower learning_rate"


class _Check(NamedTuple):
    """Numbers of a step that are to be checked."""

    place: str
    step: str
    values: dict[str, Tensor | float]


class FiniteGuard:
    """Checks the numbers of a step before the step is taken.

    The numbers must be the same on all ranks: a decision on a rank's own value would leave the
    other ranks waiting.
    """

    def __init__(
        self,
        policy: Literal["stop", "skip"],
        device: torch.device,
        place: Callable[[], str],
        error: Callable[[str, str], TrainingError],
    ):
        """Start without a number that waits to be checked.

        Args:
            policy: "stop" raises an error, "skip" leaves the step out and counts it.
            device: Where the numbers are computed.
            place: Says where the run is.
            error: Makes an error from a problem and an advice.
        """
        self.policy = policy
        self.device = device
        self.num_skipped = 0
        """Steps of this epoch that were left out."""
        self.numbers: dict[str, float] = {}
        """The last ones that were found finite, by name; they are on the host."""
        self._place = place
        self._error = error
        self._deferred: _Check | None = None

    def expect_finite(self, step: str, **values: Tensor | float) -> bool:
        """Check numbers together with those of the next `check_finite`, where that is safe.

        Reading a result back from a GPU leaves the GPU idle. Under the policy "stop" one wait can
        serve both, as long as nothing is saved in between: see `check_deferred`. Arguments and
        result are those of `check_finite`.
        """
        if self.policy == "skip" or self.device.type == "cpu":
            return self.check_finite(step, **values)
        self.check_deferred()
        self._deferred = _Check(self._place(), step, values)
        return True

    def check_finite(self, step: str, **values: Tensor | float) -> bool:
        """Return whether a step may be taken; on a GPU this is where the host waits.

        Args:
            step: Which step it is, for the error.
            values: Numbers by name, such as the loss and the norm of the gradient.

        Returns:
            False if a number is not finite and the policy is "skip".

        Raises:
            TrainingError: A number is not finite and the policy is "stop".
        """
        checks = [_Check(self._place(), step, values)]
        if self._deferred is not None:
            checks.insert(0, self._deferred)  # what began there is reported as of there
            self._deferred = None
        return self._check(checks)

    def _check(self, checks: list[_Check]) -> bool:
        tensors = [torch.as_tensor(value) for check in checks for value in check.values.values()]
        found = iter(torch.stack(tensors).tolist())
        for place, step, values in checks:
            numbers = dict(zip(values, found, strict=False))
            if not all(map(math.isfinite, numbers.values())):
                if self.policy == "skip":
                    self.num_skipped += 1
                    return False
                listed = ", ".join(f"{name} {number:g}" for name, number in numbers.items())
                problem = f"{place}: {step}: not finite: {listed}"
                raise self._error(problem, f"{ADVICE}, or non_finite skip")
            self.numbers |= numbers
        return True

    def check_deferred(self) -> None:
        """Check what `expect_finite` put off, before the state may be saved."""
        if self._deferred is not None:
            check, self._deferred = self._deferred, None
            self._check([check])

    def check_measured(self, loss: float, split: str) -> None:
        """Raise TrainingError if a measured loss is not finite."""
        if not math.isfinite(loss):
            raise self._error(f"{self._place()}: the {split} loss is {loss}", ADVICE)

    def check_any_step(self, num_samples: int, num_steps: int) -> None:
        """Raise TrainingError if no step of an epoch was taken."""
        if num_samples == 0:
            raise self._error(
                f"{self._place()}: none of {num_steps} steps had a finite loss and gradient", ADVICE
            )

    def remember_buffers(self, net: nn.Module) -> Callable[[], None]:
        """Return a function that restores running statistics if the step is left out."""
        if self.policy == "stop":
            return lambda: None
        saved = [(buffer, buffer.clone()) for buffer in net.buffers()]

        def restore() -> None:
            for buffer, value in saved:
                buffer.copy_(value)

        return restore
