"""What is said about images that were read: left out, damaged, or all of one color."""

import logging
from collections.abc import Sequence
from pathlib import Path

from nas.data.image_files import SplitFiles
from nas.distributed.launch import read_launch

_MAX_NAMES = 20
_MAX_EXAMPLES = 3
_log = logging.getLogger(__name__)


def say(message: str, *, level: int = logging.INFO) -> None:
    """Log a message, in the first process of a run only."""
    if read_launch().rank == 0:
        _log.log(level, "%s", message)


def say_files(files: SplitFiles) -> None:
    """Say how many files of a split are used and left out, and what was chosen."""
    for line in (*files.notes, files.summary()):
        say(line)


def warn_skipped(split: str, skipped: Sequence[str], num_read: int) -> None:
    """Say which damaged files of a split were left out; nothing if there are none."""
    if not skipped:
        return
    total = num_read + len(skipped)
    lines = [f"left out {len(skipped)} of {total} {split} images:"]
    lines += [f"  {problem}" for problem in skipped[:_MAX_NAMES]]
    if (more := len(skipped) - _MAX_NAMES) > 0:
        lines.append(f"  and {more} more")
    say("\n".join(lines), level=logging.WARNING)


def warn_blank(blank: Sequence[Path], num_seen: int) -> None:
    """Warn if a tenth or more of the images that were looked at are (nearly) one color."""
    if not blank or 10 * len(blank) < num_seen:
        return
    examples = ", ".join(map(str, blank[:_MAX_EXAMPLES]))
    of = "all" if len(blank) == num_seen else f"{len(blank)} of {num_seen}"
    say(
        f"warning: {of} images that were looked at are (nearly) one color: {examples}; check that "
        "their values are between 0 and 255",
        level=logging.WARNING,
    )


def say_frames(animated: Sequence[Path]) -> None:
    """Say that only the first frame or page of some files is read."""
    if animated:
        files = "1 file has" if len(animated) == 1 else f"{len(animated)} files have"
        say(f"{files} more than one frame or page, of which the first is read: {animated[0]}")


def warn_narrow(narrow: Sequence[Path]) -> None:
    """Warn about images of which the center crop leaves less than half."""
    if narrow:
        say(
            f"warning: only the center square is used of images that are more than twice as long "
            f"as wide: {len(narrow)} files, such as {narrow[0]}",
            level=logging.WARNING,
        )
