"""Stop on a signal: it sets a flag, and the loop stops where it can save its state."""

import signal
from types import FrameType, TracebackType

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Ctrl-C, a plain kill, and the signal that Slurm sends before a time limit."""


class Stopped(Exception):  # noqa: N818  (not an error: the run was asked to stop)
    """The run stopped on a signal; `exit_code` is 128 + the number of the signal."""

    def __init__(self, signum: int, message: str):
        super().__init__(message)
        self.exit_code = 128 + signum


class StopFlag:
    """The signal that asked the run to stop; a second Ctrl-C interrupts at once.

    A context manager: when it exits, the signals have their previous effect.
    """

    def __init__(self) -> None:
        self.signum: int | None = None

    def __enter__(self) -> "StopFlag":
        self._previous = {signum: signal.signal(signum, self._handle) for signum in HANDLED}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is not None and signum == signal.SIGINT:
            raise KeyboardInterrupt
        self.signum = signum
