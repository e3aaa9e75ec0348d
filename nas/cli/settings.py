"""From what was given to the settings of a run, a new one or one to be resumed (no torch)."""

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from nas.config import Arguments, AugmentConfig, DetectConfig, SearchConfig
from nas.distributed.launch import read_launch
from nas.errors import ConfigError, NasError
from nas.genotype import load_chain, load_genotype
from nas.genotype.chain import FILE_NAME as NETWORK_FILE
from nas.space import load_space
from nas.strict_yaml import is_file, is_gone

Settings = TypeVar("Settings", SearchConfig, AugmentConfig, DetectConfig)
_LOGGER = logging.getLogger(__name__)
_MAY_CHANGE = {
    "out",
    "resume",
    "data",
    "device",
    "workers",
    "checkpoint_minutes",
    "non_finite",
    "micro_batch",
}
"""Settings that may change on resume. micro_batch is allowed so that a run that ran out of memory
can continue; a warning notes the effect."""


def complete(given: Arguments[Settings], default_out: Callable[[Settings], str]) -> Settings:
    """Return the settings, with `out` filled in; those of the run if it is to be resumed.

    Args:
        given: What the command line and its files say.
        default_out: The run directory if none is given.

    Raises:
        ConfigError: A setting is wrong, or differs from that of the run to be resumed.
    """
    out = given.get("out")
    if out in (None, "", "null") or str(given.get("resume")).lower() not in ("true", "yes", "on"):
        config = given.make()
        out = config.out or default_out(config)
        # If torchrun starts the processes again, the same command continues the run.
        is_restart = read_launch().restarts > 0 and is_file(Path(out) / "config.yaml")
        if not (config.resume or is_restart):
            return dataclasses.replace(config, out=out)
    # From here on, settings that are not given are those of the run.
    saved_path = Path(out) / "config.yaml"
    if not is_file(saved_path):
        raise ConfigError(
            f"resume: {out} holds no run (no config.yaml); start one without `resume`, or name the "
            "run's directory with `out`"
        )
    saved = _with_own_files(Arguments(given.settings, ()).make(saved_path), Path(out))
    config = _with_own_files(given.make(saved_path), Path(out))
    _check_unchanged(saved, config, out)
    if config.micro_batch != saved.micro_batch and read_launch().rank == 0:
        _LOGGER.warning(
            "resumed with `micro_batch` %s instead of %s: BatchNorm sees other batches from now on",
            config.micro_batch,
            saved.micro_batch,
        )
    return dataclasses.replace(config, out=out, resume=True)


def _with_own_files(config: Settings, run: Path) -> Settings:
    """Let a run use its own copy of its space, cells or network if the original file has gone."""
    changes: dict[str, Any] = {}
    for name, file, own in (
        ("space", "space.yaml", run / "space.yaml"),
        ("genotype", "genotype.json", run),
        ("network", NETWORK_FILE, run),
    ):
        text = getattr(config, name, None)
        if isinstance(text, str) and is_gone(text) and is_file(run / file):
            changes[name] = str(own)
    return dataclasses.replace(config, **changes)


def _check_unchanged(saved: Settings, config: Settings, out: str) -> None:
    for field in dataclasses.fields(config):
        before, now = getattr(saved, field.name), getattr(config, field.name)
        may_change = (
            field.name in _MAY_CHANGE
            or (field.name == "epochs" and now > before)
            or (field.name == "selection" and before is None)
        )
        if now == before or may_change:
            continue
        if field.metadata.get("is_path") and _is_same(field.name, before, now, Path(out)):
            continue
        raised = " (`epochs` may be raised)" if hasattr(config, "epochs") else ""
        raise ConfigError(
            f"resume: the run in {out} has {field.name} {before!r}, found {now!r}; leave "
            f"`{field.name}` out to continue it{raised}, or start another run in another `out`"
        )


def _is_same(name: str, before: Any, now: Any, run: Path) -> bool:
    """Whether two texts name the same file, or the space, cells or network that the run has."""
    if isinstance(before, tuple):
        pairs = zip(before, now, strict=False)
        return len(before) == len(now) and all(_is_same(name, *pair, run) for pair in pairs)
    try:
        if Path(before).samefile(now):
            return True
    except (OSError, TypeError, ValueError):
        pass
    try:
        if name == "space" and is_file(run / "space.yaml"):
            return load_space(now) == load_space(run / "space.yaml")
        if name == "genotype" and is_file(run / "genotype.json"):
            return load_genotype(now) == load_genotype(run)
        if name == "network" and is_file(run / NETWORK_FILE):
            return load_chain(now) == load_chain(run)
    except NasError:  # said better where it is used
        pass
    return False
