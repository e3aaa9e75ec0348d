"""What --skip_corrupt left out, counted and named."""

import sys

from nas.data.imagenet import ImageFiles
from nas.data.records import ImageSet

_MAX_NAMES = 20


def announce_skipped(prog: str, split: str, images: ImageSet | ImageFiles) -> None:
    """Say on stderr which files of a split were left out; nothing where there are none."""
    if not images.skipped:
        return
    total = len(images) + len(images.skipped)
    print(f"{prog}: left out {len(images.skipped)} of {total} {split} images:", file=sys.stderr)
    for problem in images.skipped[:_MAX_NAMES]:
        print(f"  {problem}", file=sys.stderr)
    if (more := len(images.skipped) - _MAX_NAMES) > 0:
        print(f"  and {more} more", file=sys.stderr)
