"""YAML files of settings: one may build on another, its `base`; a run has one in config.yaml."""

import dataclasses
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from nas.config.old_keys import updated
from nas.errors import ConfigError, close_matches, shown
from nas.strict_yaml import is_file, read_yaml

BASE = "base"
"""Key of a file of settings: the file that it changes, relative to its own folder."""

STARTED_IN = "started_in"
"""Key of the config.yaml of a run: the folder that its paths are relative to, itself relative to
the file. With it a run can be resumed from any folder."""


def read_settings_file(
    path: Path, settings: type, above: tuple[Path, ...] = ()
) -> list[tuple[Path, dict[str, Any]]]:
    """Read a file of settings, and before it the one that it names as its `base`.

    Values are text as it was written, or null, or lists of these: only the type of a field says
    whether `off`, `0123` or `1e-3` is a number.

    Raises:
        ConfigError: The file does not exist, is not YAML, or it has an unknown key.
    """
    if path in above:
        raise ConfigError(f"{path}: is its own base; name another file, or leave `base` out")
    if not is_file(path):
        raise ConfigError(f"--config: there is no file {shown(str(path))}")
    document = read_yaml(path, ConfigError, as_text=True)
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a mapping of settings such as `epochs: 50`")
    base, started_in = document.pop(BASE, None), document.pop(STARTED_IN, None)
    values = updated(settings, document, str(path))
    fields = {field.name: field for field in dataclasses.fields(settings)}
    for key in values:
        if key not in fields:
            raise ConfigError(f"{path}: unknown setting {shown(key)}; {close_matches(key, fields)}")
    if isinstance(started_in, str):
        folder = path.parent / started_in
        for key, value in values.items():
            if fields[key].metadata.get("is_path"):
                values[key] = _from_here(value, folder)
    if base is None:
        return [(path, values)]
    if not isinstance(base, str) or not is_file(path.parent / base):
        raise ConfigError(f"{path}: {BASE}: there is no file {shown(base)} in the same folder")
    under = Path(os.path.normpath(path.parent / base))
    return [*read_settings_file(under, settings, (*above, path)), (path, values)]


def plain_settings(config: Any) -> dict[str, Any]:
    """Return a settings record, which has a field `resume`, as plain data that YAML can hold."""
    values = dataclasses.asdict(dataclasses.replace(config, resume=False))
    return {k: list(value) if isinstance(value, tuple) else value for k, value in values.items()}


def run_settings(config: Any) -> dict[str, Any]:
    """Return what goes into config.yaml of the run in `config.out`."""
    values = plain_settings(config)
    with suppress(ValueError):  # on two drives of Windows no path is relative
        folder = os.path.relpath(Path.cwd(), Path(config.out).resolve())
        values[STARTED_IN] = Path(folder).as_posix()
    return values


def _from_here(value: Any, folder: Path) -> Any:
    """Return a path that is relative to `folder` as one from here, if something is there."""
    if isinstance(value, list):
        return [_from_here(entry, folder) for entry in value]
    if not isinstance(value, str) or not value or Path(value).is_absolute():
        return value
    there = folder / value
    try:
        if not there.exists() or (Path(value).exists() and there.samefile(value)):
            return value
    except (OSError, ValueError):  # a genotype as text is too long to be a path
        return value
    return os.path.relpath(there)
