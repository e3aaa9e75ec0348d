"""A claim as data: what to search, what to train, how often, and what the paper says."""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.errors import ConfigError, close_matches, shown
from nas.strict_yaml import is_file, read_yaml

FILE_NAME = "claim.yaml"
_KEYS = ("title", "caveat", "search_config", "spaces", "search_seeds")
_KEYS += ("augment_config", "genotypes", "models", "augment_seeds", "paper")
_PAPER_KEYS = ("error", "parameters_m", "source")


@dataclass(frozen=True)
class Claim:
    """The contents of a claim.yaml."""

    folder: Path
    title: str
    caveat: str
    """What the table does not show; printed under it."""
    search_config: str | None
    """Settings of every search, a file in the folder."""
    spaces: tuple[str, ...]
    """One search for each of these and each search seed."""
    search_seeds: tuple[int, ...]
    augment_config: str | None
    """Settings of every retrain, a file in the folder."""
    genotypes: tuple[str, ...]
    """Baselines: what `augment.py --genotype` takes, such as DARTS_V2 or random:0."""
    models: tuple[str, ...]
    """Networks by name: what `augment.py --model` takes, such as mobilenext_0.35."""
    augment_seeds: tuple[int, ...]
    """Every cell, found or given, and every network by name is trained with each of these."""
    paper: dict[str, dict[str, Any]]
    """For a row what the paper reports: `error`, `parameters_m`, `source`."""

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of the table's rows."""
        return (*self.spaces, *self.genotypes, *self.models)


def read_claim(folder: Path) -> Claim:
    """Read FOLDER/claim.yaml.

    Raises:
        ConfigError: It is missing, or a key of it is unknown, missing or of the wrong type.
    """
    path = folder / FILE_NAME
    if not is_file(path):
        raise ConfigError(f"{folder}: there is no {FILE_NAME} in it; name the folder of a claim")
    document = read_yaml(path, ConfigError)
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a mapping with `title`, `spaces`, ...")
    for key in document:
        if key not in _KEYS:
            raise ConfigError(f"{path}: unknown key {shown(key)}; {close_matches(str(key), _KEYS)}")
    claim = Claim(
        folder=folder,
        title=_text(document, "title", path) or folder.name,
        caveat=_text(document, "caveat", path) or "",
        search_config=_config(document, "search_config", folder),
        spaces=_list(document, "spaces", str, path),
        search_seeds=_list(document, "search_seeds", int, path),
        augment_config=_config(document, "augment_config", folder),
        genotypes=_list(document, "genotypes", str, path),
        models=_list(document, "models", str, path),
        augment_seeds=_list(document, "augment_seeds", int, path),
        paper={},
    )
    paper = _paper(document.get("paper", {}), claim.rows, path)
    claim = dataclasses.replace(claim, paper=paper)
    if bool(claim.spaces) != bool(claim.search_seeds) or (claim.spaces and not claim.search_config):
        raise ConfigError(
            f"{path}: a search needs `spaces`, `search_seeds` and `search_config` together"
        )
    if not claim.rows:
        raise ConfigError(f"{path}: nothing to do: give `spaces`, `genotypes` or `models`")
    for key in ("genotypes", "models"):
        if getattr(claim, key) and not claim.augment_seeds:
            raise ConfigError(f"{path}: `{key}` are only trained: give `augment_seeds`")
    if claim.augment_seeds and not claim.augment_config:
        raise ConfigError(f"{path}: `augment_seeds` need `augment_config`")
    return claim


def _text(document: dict, key: str, path: Path) -> str | None:
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{path}: {key}: expected text, found {shown(value)}")
    return value


def _config(document: dict, key: str, folder: Path) -> str | None:
    name = _text(document, key, folder / FILE_NAME)
    if name is not None and not is_file(folder / name):
        raise ConfigError(f"{folder / FILE_NAME}: {key}: there is no file {shown(name)} beside it")
    return name


def _list(document: dict, key: str, kind: type, path: Path) -> tuple:
    values = document.get(key, [])
    good = isinstance(values, list) and all(type(value) is kind for value in values)
    if not good or len(set(values)) != len(values):
        what = "names" if kind is str else "whole numbers"
        raise ConfigError(f"{path}: {key}: expected a list of different {what}")
    if kind is str:
        for value in values:
            if not re.fullmatch(r"[\w.+:/-]{1,200}", value):
                raise ConfigError(f"{path}: {key}: {shown(value)} is not a name")
    return tuple(values)


def _paper(table: Any, rows: tuple[str, ...], path: Path) -> dict[str, dict[str, Any]]:
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: paper: expected a mapping of names")
    for name, entry in table.items():
        if name not in rows:
            raise ConfigError(
                f"{path}: paper: {shown(name)} is no row; {close_matches(str(name), rows)}"
            )
        if not isinstance(entry, dict) or not set(entry) <= set(_PAPER_KEYS):
            raise ConfigError(
                f"{path}: paper: {shown(name)}: expected a mapping of {', '.join(_PAPER_KEYS)}"
            )
        for key in ("error", "parameters_m"):
            value = entry.get(key, 0)
            if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
                raise ConfigError(f"{path}: paper: {name}: {key}: expected a number")
        if not isinstance(entry.get("source", ""), str):
            raise ConfigError(f"{path}: paper: {name}: source: expected text")
    return table
