"""An experiment as data: what to search and train, how often, and the paper's figures."""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nas.errors import ConfigError, close_matches, shown
from nas.experiments.methods import check_methods, read_methods
from nas.genotype.arch_string import is_arch_string
from nas.strict_yaml import is_directory, is_file, read_yaml

FILE_NAME = "experiment.yaml"
OLD_FILE_NAME = "claim.yaml"
"""What the file was called in earlier versions; still read."""
_SEEDS = "search_seeds"
_KEYS = (
    *("title", "caveat", "search_config", "spaces", "methods", _SEEDS),
    *("augment_config", "genotypes", "models", "augment_seeds", "paper", "oracle"),
)
_PAPER_KEYS = ("error", "parameters_m", "source")
_NAME = re.compile(r"[\w.+:/-]{1,200}")


class Oracle(NamedTuple):
    """A table of accuracies that judges what the searches found."""

    table: str
    """A CSV file, as `nas oracle` reads it; a path from the current folder."""
    dataset: str | None
    """The column; None is the first."""


@dataclass(frozen=True)
class Experiment:
    """The contents of an experiment.yaml."""

    folder: Path
    title: str
    caveat: str
    """What the table does not show; printed under it."""
    search_config: str | None
    """Settings of every search, a file in the folder."""
    spaces: tuple[str, ...]
    """Each of these is searched with each method and each search seed."""
    methods: tuple[str, ...]
    """Search methods with their settings, such as "pc_darts,channel_fraction=4", perhaps with a
    selection, "darts+darts_pt"; none where the settings of the searches say which it is."""
    search_seeds: tuple[int, ...]
    own_seeds: dict[str, tuple[int, ...]]
    """By method, for methods with search seeds of their own."""
    augment_config: str | None
    """Settings of every training, a file in the folder."""
    genotypes: tuple[str, ...]
    """Baselines: what `augment.py --genotype` takes, such as DARTS_V2 or random:0."""
    models: tuple[str, ...]
    """Named networks: what `augment.py --model` takes, such as mobilenext_0.35."""
    augment_seeds: tuple[int, ...]
    """Every cell, searched or given, and every named network is trained with each of these."""
    paper: dict[str, dict[str, Any]]
    """The paper's figures for a row: `error`, `parameters_m`, `source`."""
    oracle: Oracle | None
    """What judges the searches; None if their cells are trained instead."""

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of the table's rows."""
        methods = self.seeds_by_method
        searched = (row_of(space, method) for space in self.spaces for method in methods)
        return (*searched, *self.genotypes, *self.models)

    @property
    def seeds_by_method(self) -> dict[str | None, tuple[int, ...]]:
        """The search seeds of each method; of one None where other settings say which it is."""
        methods = self.methods or (None,)
        return {method: self.own_seeds.get(method or "", self.search_seeds) for method in methods}

    def located(self, text: str) -> str:
        """Return a file or run that is named relative to the folder as a path from here.

        What is not in the folder stays as it is: a name, or a path from the current folder.
        """
        path = self.folder / text
        is_here = is_file(path) or is_directory(path)
        return path.as_posix() if is_here and text.strip("./") else text

    def located_space(self, text: str) -> str:
        """Return a space, whose parts between `+` may be files in the folder."""
        if is_file(self.folder / text):
            return (self.folder / text).as_posix()
        names = text.split("+")
        return "+".join(self.located(name) if "." in name else name for name in names)


def row_of(space: str, method: str | None) -> str:
    """Name the row of the searches in a space by a method."""
    return space if method is None else f"{method} in {space}"


def read_experiment(folder: Path) -> Experiment:
    """Read FOLDER/experiment.yaml.

    Raises:
        ConfigError: It is missing, or a key of it is unknown, missing or of the wrong type.
    """
    path = _file_of(folder)
    document = read_yaml(path, ConfigError)
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a mapping with `title`, `spaces`, ...")
    for key in document:
        if key not in _KEYS:
            raise ConfigError(f"{path}: unknown key {shown(key)}; {close_matches(str(key), _KEYS)}")
    methods, own_seeds = _methods(document, path)
    experiment = Experiment(
        folder=folder,
        title=_text(document, "title", path) or folder.resolve().name,
        caveat=_text(document, "caveat", path) or "",
        search_config=_config(document, "search_config", path),
        spaces=_names(document, "spaces", path),
        methods=methods,
        search_seeds=_numbers(document, _SEEDS, path),
        own_seeds=own_seeds,
        augment_config=_config(document, "augment_config", path),
        genotypes=_names(document, "genotypes", path),
        models=_names(document, "models", path),
        augment_seeds=_numbers(document, "augment_seeds", path),
        paper={},
        oracle=_oracle(document.get("oracle"), path),
    )
    paper = _paper(document.get("paper", {}), experiment.rows, path)
    experiment = dataclasses.replace(experiment, paper=paper)
    _check_whole(experiment, path)
    return experiment


def _file_of(folder: Path) -> Path:
    present = [folder / name for name in (FILE_NAME, OLD_FILE_NAME) if is_file(folder / name)]
    if not present:
        raise ConfigError(
            f"{folder}: there is no {FILE_NAME} in it; name the folder of an experiment"
        )
    if len(present) > 1:
        raise ConfigError(f"{folder}: has {FILE_NAME} and {OLD_FILE_NAME}; remove one of them")
    return present[0]


def _check_whole(experiment: Experiment, path: Path) -> None:
    """Raise where keys that belong together are not all there."""
    needed = ("spaces", "search_seeds", "search_config")
    given = [bool(getattr(experiment, key)) for key in needed]
    if any(given[:2]) and not all(given):
        raise ConfigError(
            f"{path}: a search needs `spaces`, `search_seeds` and `search_config` together"
        )
    if experiment.methods and not experiment.spaces:
        raise ConfigError(f"{path}: `methods` search in `spaces`: give those too")
    if not experiment.rows:
        raise ConfigError(f"{path}: nothing to do: give `spaces`, `genotypes` or `models`")
    for key in ("genotypes", "models"):
        if getattr(experiment, key) and not experiment.augment_seeds:
            raise ConfigError(f"{path}: `{key}` are only trained: give `augment_seeds`")
    if experiment.augment_seeds and not experiment.augment_config:
        raise ConfigError(f"{path}: `augment_seeds` need `augment_config`")
    if experiment.oracle and not experiment.spaces:
        raise ConfigError(f"{path}: `oracle` judges searches: give `spaces` too")


def _text(document: dict[str, Any], key: str, path: Path) -> str | None:
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{path}: {key}: expected text, found {shown(value)}")
    return value


def _config(document: dict[str, Any], key: str, path: Path) -> str | None:
    name = _text(document, key, path)
    if name is not None and not is_file(path.parent / name):
        raise ConfigError(f"{path}: {key}: there is no file {shown(name)} in the same folder")
    return name


def _names(document: dict[str, Any], key: str, path: Path) -> tuple[str, ...]:
    values = _list(document, key, str, "names", path)
    for value in values:
        is_cell = key == "genotypes" and is_arch_string(value)
        if not (is_cell or _NAME.fullmatch(value) or is_file(path.parent / value)):
            raise ConfigError(f"{path}: {key}: {shown(value)} is not a name, nor a file here")
    return values


def _numbers(document: dict[str, Any], key: str, path: Path, where: str = "") -> tuple[int, ...]:
    return _list(document, key, int, "whole numbers", path, where)


def _methods(
    document: dict[str, Any], path: Path
) -> tuple[tuple[str, ...], dict[str, tuple[int, ...]]]:
    """Return the methods, and the search seeds of those that have their own."""
    where = f"{path}: methods"
    entries, seeds = document.get("methods", []), {}
    if isinstance(entries, list):
        entries = [dict(entry) if isinstance(entry, dict) else entry for entry in entries]
        for index, entry in enumerate(entries):
            if isinstance(entry, dict) and _SEEDS in entry:
                seeds[index] = _numbers(entry, _SEEDS, path, f"methods[{index}]: ")
                if not seeds[index]:
                    raise ConfigError(f"{where}[{index}]: {_SEEDS}: expected at least one number")
                del entry[_SEEDS]
    methods = tuple(read_methods(entries, where))
    check_methods(methods, where)
    return methods, {methods[index]: numbers for index, numbers in seeds.items()}


def _list(
    document: dict[str, Any], key: str, kind: type, words: str, path: Path, where: str = ""
) -> tuple:
    values = document.get(key, [])
    is_right = isinstance(values, list) and all(type(value) is kind for value in values)
    if not is_right or len(set(values)) != len(values):
        raise ConfigError(f"{path}: {where}{key}: expected a list of different {words}")
    return tuple(values)


def _oracle(value: Any, path: Path) -> Oracle | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not {"table"} <= set(value) <= {"table", "dataset"}:
        raise ConfigError(f"{path}: oracle: expected `table` and perhaps `dataset`")
    for key, text in value.items():
        if not isinstance(text, str):
            raise ConfigError(f"{path}: oracle: {key}: expected text, found {shown(text)}")
    return Oracle(value["table"], value.get("dataset"))


def _paper(table: Any, rows: tuple[str, ...], path: Path) -> dict[str, dict[str, Any]]:
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: paper: expected a mapping of names")
    for name, entry in table.items():
        if name not in rows:
            raise ConfigError(
                f"{path}: paper: {shown(name)} is not a row; {close_matches(str(name), rows)}"
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
