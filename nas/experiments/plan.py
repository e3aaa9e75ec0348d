"""The runs of an experiment and how far each one is; only what is on disk counts."""

import dataclasses
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas.config import AugmentConfig, SearchConfig, parse_settings, resolved
from nas.errors import ConfigError
from nas.experiments.experiment import Experiment, row_of
from nas.experiments.methods import flags_of
from nas.files import hashed_name
from nas.genotype import load_chain, load_genotype
from nas.report.checks import TIMING, check_timing, read_epochs
from nas.space import DEFAULT_FAMILY, FAMILIES, SearchSpace, Space, load_space, load_space_at
from nas.strict_yaml import is_file

Program = Literal["search", "augment"]
State = Literal["missing", "unfinished", "finished"]
_FOUND = tuple(dict.fromkeys(family.file_name for family in FAMILIES.values()))
_RESULTS = {"search": _FOUND, "augment": ("evaluation.json",)}
_DO_NOT_COUNT = {
    *("out", "resume", "data", "device", "workers", "genotype", "network"),
    *("checkpoint_minutes", "checkpoint_steps", "keep_checkpoints"),
}
"""Settings that do not change the meaning of a run; what is trained is compared by its content."""
_PATHS = {"plugins", "weights"}
"""Settings that may be paths, which are the same from wherever they are named."""
_MAX_NAME_BYTES = 150


@dataclass(frozen=True)
class Run:
    """One search or one training."""

    program: Program
    group: str
    """The row that it belongs to."""
    name: str
    path: Path
    """Its run directory."""
    flags: tuple[str, ...]
    needs: Path | None = None
    """The run directory of the search whose cells or network it trains."""
    space: str | None = None
    """The space of the search."""

    def state(self) -> State:
        """Look at the run directory."""
        if any((self.path / name).is_file() for name in _RESULTS[self.program]):
            return "finished"
        return "unfinished" if (self.path / "config.yaml").is_file() else "missing"

    def is_ready(self) -> bool:
        """Whether the search that it needs is finished."""
        return self.needs is None or _found_in(self.needs) is not None

    def times_s(self) -> list[float]:
        """Return the wall-clock time of each epoch, seconds; none of a random draw.

        Raises:
            ReportError: The file is damaged.
        """
        path = self.path / TIMING
        if not is_file(path):
            return []
        return [record["time_s"] for record in read_epochs(path, check_timing)]

    def command(self) -> list[str]:
        """Return the command that starts it, or continues it where it was begun."""
        resume = ["--resume"] if self.state() == "unfinished" else []
        flags = (*self.flags, f"--out={self.path.as_posix()}")
        return [sys.executable, "-m", f"nas.cli.{self.program}", *flags, *resume]

    @property
    def has_cells(self) -> bool:
        """Whether it searches or trains cells, not a named network or one of a chain."""
        if self.space is not None:
            return isinstance(load_space(self.space), SearchSpace)
        return not any(flag.startswith("--model=") for flag in self.flags)

    def settings(self) -> SearchConfig | AugmentConfig:
        """Return the settings of the experiment for this run.

        Raises:
            ConfigError: A setting is wrong.
        """
        return _parse(self.program, list(self.flags), self._family())

    @property
    def finds(self) -> str:
        """The setting of a training that takes what this search finds: genotype, or network."""
        assert self.space is not None, "a training finds nothing"
        return Path(load_space(self.space).kind.file_name).stem

    def _family(self) -> str:
        """Return the family of the cells, which decides the size of their network."""
        if not self.has_cells or self.group.startswith("random:"):
            return DEFAULT_FAMILY
        if self.space is not None:
            return load_space(self.space).family
        return load_genotype(_genotype_of(self.flags)).family

    def check(self) -> None:
        """Check that what is on disk was made of the same, with the settings of the experiment.

        Raises:
            ConfigError: The experiment's settings are wrong, or not those of the run.
        """
        wanted = self.settings()
        if self.state() == "missing":
            return
        if not (self.path / "config.yaml").is_file():
            raise ConfigError(
                f"{self.path}: has a result but no config.yaml, so nothing says which settings "
                "made it; move the run away to repeat it"
            )
        saved = _parse(self.program, [], self._family(), self.path / "config.yaml")
        for field in dataclasses.fields(wanted):
            before, now = getattr(saved, field.name), getattr(wanted, field.name)
            if before == now or field.name in _DO_NOT_COUNT:
                continue
            if field.name in _PATHS and _same_paths(before, now):
                continue
            if field.name == "space" and is_file(self.path / "space.yaml"):
                continue  # its content is compared below
            raise ConfigError(
                f"{self.path}: was run with {field.name} {before!r}, but the settings now say "
                f"{now!r}; move the run away to repeat it, or restore the settings"
            )
        if self.program == "search":
            self._check_space(wanted)
        else:
            self._check_found()

    def _check_space(self, wanted: SearchConfig | AugmentConfig) -> None:
        """Compare the space that was searched with the one to search; its file may have moved."""
        path = self.path / "space.yaml"
        if self.space is None or not is_file(path):
            return
        if _plain_space(path) != _plain_space(self.space, wanted.width_mult):
            raise ConfigError(
                f"{self.path}: searched another space than {self.space} is now ({path}); move the "
                "run away to repeat it, or restore the space"
            )

    def _check_found(self) -> None:
        """Compare what was trained with what is to be trained; its place may change."""
        file = _found_in(self.path)
        if file is None:
            return
        if self.needs is not None and _found_in(self.needs) is None:
            raise ConfigError(
                f"{self.path}: was trained, but its search {self.needs} is not finished; move the "
                "training away too, or restore the search"
            )
        load = load_genotype if self.has_cells else load_chain
        trained = load(self.path)
        if self.group.startswith("random:"):
            seed = str(trained.search.get("seed"))
            same = trained.search.get("method") == "random" and self.group == f"random:{seed}"
        else:
            same = trained == load(self.needs or _genotype_of(self.flags))
        if not same:
            raise ConfigError(
                f"{self.path}: what was trained is not what {self.needs or self.group} has now; "
                "move the run away to train that"
            )


def plan(experiment: Experiment) -> list[Run]:
    """List the runs of an experiment, searches first.

    Raises:
        ConfigError: Two runs would have the same directory.
    """
    folder = experiment.folder
    searches = plan_searches(
        {space: experiment.located_space(space) for space in experiment.spaces},
        experiment.seeds_by_method,
        _config_flag(folder, experiment.search_config),
        folder / "search",
    )
    config = _config_flag(folder, experiment.augment_config)
    trainings = [
        Run(
            "augment",
            search.group,
            f"{search.name}-retrain{seed}",
            Path(),
            (*config, f"--{search.finds}={search.path.as_posix()}", f"--seed={seed}"),
            needs=search.path,
            space=search.space,
        )
        for search in searches
        for seed in experiment.augment_seeds
    ]
    cells, models = experiment.genotypes, experiment.models
    given = [(cell, f"--genotype={experiment.located(cell)}", "retrain") for cell in cells]
    given += [(model, f"--model={model}", "seed") for model in models]
    trainings += [
        Run("augment", row, f"{row}-{word}{seed}", Path(), (*config, flag, f"--seed={seed}"))
        for row, flag, word in given
        for seed in experiment.augment_seeds
    ]
    return [*searches, *_with_directories(trainings, folder / "augment")]


def plan_searches(
    spaces: dict[str, str],
    methods: Mapping[str | None, Sequence[int]],
    flags: Sequence[str],
    folder: Path,
) -> list[Run]:
    """List searches: each space with each method and each seed.

    Args:
        spaces: The text that names a space, and what `--space` gets.
        methods: A method each, perhaps with a selection, and its seeds, one search each; None
            leaves the method to the other settings.
        flags: The other settings.
        folder: Where the run directories are.

    Raises:
        ConfigError: Two runs would have the same directory.
    """
    searches = []
    for space, located in spaces.items():
        for method, seeds in methods.items():
            name = space if method is None else f"{space}-{method}"
            searches += [
                Run(
                    "search",
                    row_of(space, method),
                    f"{name}-seed{seed}",
                    Path(),
                    (*flags, f"--space={located}", *flags_of(method), f"--seed={seed}"),
                    space=located,
                )
                for seed in seeds
            ]
    return _with_directories(searches, folder)


def _with_directories(runs: list[Run], folder: Path) -> list[Run]:
    """Give each run a separate directory, named after it."""
    # File systems may ignore case, so names that differ in it alone are taken for equal.
    times = Counter(_plain(run.name).casefold() for run in runs)
    placed: list[Run] = []
    owners: dict[str, Run] = {}
    for run in runs:
        name = _plain(run.name)
        if times[name.casefold()] > 1 or len(name.encode()) > _MAX_NAME_BYTES:
            name = hashed_name(run.name)
        if (other := owners.setdefault(name.casefold(), run)) is not run:
            raise ConfigError(
                f"{folder}: {other.name} and {run.name} would share the directory {name}; rename "
                "one of the files"
            )
        placed.append(dataclasses.replace(run, path=folder / name))
    return placed


def _found_in(path: Path) -> Path | None:
    """Return the file of a run directory with cells or a network; None where there is none."""
    return next((path / name for name in _FOUND if is_file(path / name)), None)


def _plain_space(text: str | Path, width_mult: float | None = None) -> Space:
    """Return a space without what does not change its networks."""
    space = load_space_at(text, width_mult)
    if isinstance(space, SearchSpace):
        return dataclasses.replace(space, name="", plugins=())
    return dataclasses.replace(space, name="")


def _plain(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "_", name)


def _config_flag(folder: Path, config: str | None) -> tuple[str, ...]:
    return () if config is None else (f"--config={(folder / config).as_posix()}",)


def _genotype_of(flags: Sequence[str]) -> str:
    (flag,) = (flag for flag in flags if flag.startswith("--genotype="))
    return flag.removeprefix("--genotype=")


def _same_paths(before: object, now: object) -> bool:
    """Whether two values, paths or lists of paths, name the same files."""
    if isinstance(before, str) and isinstance(now, str):
        return Path(before).resolve() == Path(now).resolve()
    if isinstance(before, tuple) and isinstance(now, tuple) and len(before) == len(now):
        return all(map(_same_paths, before, now))
    return before == now


def _parse(
    program: Program, flags: list[str], family: str, base: Path | None = None
) -> SearchConfig | AugmentConfig:
    if program == "search":
        return parse_settings(SearchConfig, "search.py", "", flags, base=base)
    return resolved(parse_settings(AugmentConfig, "augment.py", "", flags, base=base), family)
