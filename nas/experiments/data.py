"""Whether the runs on disk were made with the images that are there now."""

from collections.abc import Sequence
from pathlib import Path

from nas.config import AugmentConfig, SearchConfig
from nas.data.fingerprint import Fingerprint, read_fingerprint, some_changes
from nas.data.from_config import load_split
from nas.data.image_sets import fingerprint_of
from nas.errors import ConfigError
from nas.experiments.plan import Run
from nas.search.data import load_images
from nas.strict_yaml import is_directory

_IN_FILES = ("imagefolder", "imagenet")
"""Datasets that users change; the others are always the same."""


def check_images(runs: Sequence[Run]) -> None:
    """Check that runs were made with the training images of their settings as they are now.

    Images are only read where a run has a data.json to compare with, once for each dataset.

    Raises:
        ConfigError: A run was made with other images.
        DataError: The images cannot be read.
    """
    present: dict[tuple[object, ...], Fingerprint | None] = {}
    for run in runs:
        seen = read_fingerprint(run.path)
        if seen is None or seen.dataset not in _IN_FILES:
            continue
        config = run.settings()
        key = (config.dataset, config.data, config.image_size, config.skip_corrupt)
        # Which images are chosen depends on the seed; all of them are the same for every seed.
        key += (config.max_images, config.seed if config.max_images else None)
        if key not in present:
            present[key] = _fingerprint(config)
        now = present[key]
        if now is not None and (changes := seen.changes_to(now)):
            raise ConfigError(
                f"{run.path}: was run with other images than those in {config.data}: "
                f"{some_changes(changes)}; move the run away to repeat it, or restore the images"
            )


def _fingerprint(config: SearchConfig | AugmentConfig) -> Fingerprint | None:
    """Return what is there now; None where the folder is gone, and nothing can be compared."""
    if not is_directory(Path(config.data)):
        return None
    if isinstance(config, AugmentConfig):
        return fingerprint_of(train=load_split(config, "train"))
    return fingerprint_of(train=load_images(config))
