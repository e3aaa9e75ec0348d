"""What is left of an experiment, as parts that each fit into some minutes of one device.

A part is one call of `nas experiment FOLDER --max_minutes M`: it is stopped after that time and the
next one continues. Times are measured: of the run itself, else of the runs that are most like it.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nas.experiments.plan import Run

MINUTES = 25.0
"""Of a part, where no other length is given."""
_ROUNDING_S = 0.5
"""Less than this is no separate piece."""


@dataclass(frozen=True)
class Rest:
    """How much of a run is left."""

    run: Run
    done: int
    """Epochs that are finished."""
    epochs: int
    """All epochs of the run."""
    epoch_s: float | None
    """Seconds that an epoch takes; None if nothing like it has been measured."""

    @property
    def left_s(self) -> float | None:
        """Seconds that are left."""
        return None if self.epoch_s is None else (self.epochs - self.done) * self.epoch_s


@dataclass(frozen=True)
class Slice:
    """What one part does of a run."""

    run: Run
    first: int
    """The epoch that it begins with or continues, counted from 0."""
    last: int
    """The epoch that it ends in."""
    epochs: int


def rests(runs: Sequence[Run]) -> list[Rest]:
    """Return what is left of the runs that are not finished, in the order they are made.

    Raises:
        ConfigError: The settings of a run are wrong.
        ReportError: A timing.jsonl is damaged.
    """
    times = {run.path: run.times_s() for run in runs}
    left = []
    for run in runs:
        if run.state() == "finished":
            continue
        similar = [[run], [o for o in runs if o.group == run.group and o.program == run.program]]
        similar.append([other for other in runs if other.program == run.program])
        left.append(Rest(run, len(times[run.path]), run.settings().epochs, _mean(similar, times)))
    return left


def _mean(similar: Iterable[Sequence[Run]], times: dict) -> float | None:
    """Return the mean seconds of an epoch in the first of these groups that has any."""
    measured = ([s for run in runs for s in times[run.path]] for runs in similar)
    return next((statistics.fmean(seconds) for seconds in measured if seconds), None)


def cut(left: Sequence[Rest], part_s: float) -> list[list[Slice]]:
    """Cut what is left, and has a time, into parts.

    Args:
        left: What is left, in the order it is made.
        part_s: Seconds of a part.
    """
    parts: list[list[Slice]] = []
    room_s = 0.0
    for rest in left:
        if rest.epoch_s is None:
            continue
        left_s = rest.left_s or 0.0
        while left_s > 0:
            if room_s < _ROUNDING_S:
                parts.append([])
                room_s = part_s
            used_s = left_s if left_s < room_s + _ROUNDING_S else room_s
            first, last = (rest.epochs - s / rest.epoch_s for s in (left_s, left_s - used_s))
            parts[-1].append(Slice(rest.run, int(first), math.ceil(last) - 1, rest.epochs))
            left_s -= used_s
            room_s -= used_s
    return parts


def describe(runs: Sequence[Run], minutes: float = MINUTES) -> str:
    """Return what is done, the parts of what is left, and how long it takes.

    Args:
        runs: All runs of the experiment.
        minutes: The length of a part.

    Raises:
        ConfigError: The settings of a run are wrong.
        ReportError: A timing.jsonl is damaged.
    """
    lines = [f"{run.state():10}  {run.program:7}  {run.name}" for run in runs]
    left = rests(runs)
    parts = cut(left, 60 * minutes)
    if parts:
        lines.append("")
        lines += [f"part {k}: {'; '.join(map(_slice, part))}" for k, part in enumerate(parts, 1)]
    lines += ["", f"{len(runs) - len(left)} of {len(runs)} runs are finished."]
    measured_s = [rest.left_s for rest in left if rest.left_s is not None]
    if parts:
        lines.append(
            f"Expected: {sum(measured_s) / 3600:.1f} h, one run after another; parts of "
            f"{minutes:g} min: {len(parts)}."
        )
    if len(measured_s) < len(left):
        epochs = sum(rest.epochs - rest.done for rest in left if rest.left_s is None)
        lines.append(
            f"Without an expected time: {len(left) - len(measured_s)} runs, {epochs} epochs. No "
            "epoch of such a run has been measured; make a part, and plan again."
        )
    if any(getattr(rest.run.settings(), "selection", None) for rest in left):
        lines.append("The selections after the searches come on top.")
    return "\n".join(lines)


def _slice(piece: Slice) -> str:
    epochs = f"epochs {piece.first} to {piece.last} of {piece.epochs}"
    return f"{piece.run.program} {piece.run.name}, {epochs}"
