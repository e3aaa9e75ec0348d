"""From the command line to the settings of a run, a new one or one to be resumed (no torch)."""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from nas.config import parse_settings
from nas.distributed.launch import read_launch
from nas.errors import ConfigError
from nas.strict_yaml import is_file

Settings = TypeVar("Settings")
_MAY_CHANGE = {
    *("out", "resume", "data", "device", "workers"),
    *("checkpoint_minutes", "checkpoint_steps", "keep_checkpoints", "non_finite"),
    "micro_batch",
}
"""What a run may be resumed with that does not change what it means.

--micro_batch is what a run that was too large for the memory needs; what it changes is said.
"""


def read_settings(
    settings: type[Settings],
    prog: str,
    description: str,
    argv: Sequence[str],
    default_out: Callable[[Settings], str],
) -> Settings:
    """Return the settings, with `out` filled in; those of the run when it is to be resumed.

    Args:
        settings: A dataclass with the fields `out`, `resume` and `epochs`.
        prog: The program's name.
        description: What it does, for the help.
        argv: The arguments.
        default_out: The run directory when --out is not given.

    Raises:
        ConfigError: A setting is wrong, or differs from that of the run to be resumed.
    """
    out = _value_of("--out", argv)
    if out is None or not _is_set("--resume", argv):
        config = parse_settings(settings, prog, description, argv)
        out = config.out or default_out(config)
        # When torchrun starts the processes anew, the same command continues the run.
        is_restart = read_launch().restarts > 0 and is_file(Path(out) / "config.yaml")
        if not (config.resume or is_restart):
            return dataclasses.replace(config, out=out)
    # From here on what the command line leaves out is what the run has; settings are checked
    # together with those, not with the defaults.
    saved_path = Path(out) / "config.yaml"
    if not is_file(saved_path):
        raise ConfigError(
            f"--resume: {out} holds no run (no config.yaml); start one without --resume, or "
            "name the run's directory with --out"
        )
    saved = parse_settings(settings, prog, description, [], base=saved_path)
    config = parse_settings(settings, prog, description, argv, base=saved_path)
    _check_unchanged(saved, config, out)
    if config.micro_batch != saved.micro_batch and read_launch().rank == 0:
        print(
            f"{prog}: resumed with --micro_batch {config.micro_batch} in place of "
            f"{saved.micro_batch}: BatchNorm sees other batches from here on",
            file=sys.stderr,
        )
    return dataclasses.replace(config, out=out, resume=True)


def _value_of(flag: str, argv: Sequence[str]) -> str | None:
    """Return the last value that the command line gives a flag."""
    found = None
    for argument, following in zip_longest(argv, argv[1:]):
        if argument == flag:
            found = following
        elif argument.startswith(f"{flag}="):
            found = argument.removeprefix(f"{flag}=")
    return found or None


def _is_set(flag: str, argv: Sequence[str]) -> bool:
    """Whether the command line turns a switch on; settings that are wrong are found later."""
    is_given = any(argument.split("=")[0] == flag for argument in argv)
    return is_given and str(_value_of(flag, argv)).lower() != "false"


def _check_unchanged(saved: Settings, config: Settings, out: str) -> None:
    for field in dataclasses.fields(config):
        before, now = getattr(saved, field.name), getattr(config, field.name)
        may_change = field.name in _MAY_CHANGE or (field.name == "epochs" and now > before)
        if now != before and not may_change:
            raise ConfigError(
                f"--resume: the run in {out} has {field.name} {before!r}, found {now!r}; leave "
                f"--{field.name} out to continue it (--epochs may be raised), or start another "
                "run in another --out"
            )
