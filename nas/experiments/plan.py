"""The runs of a claim and how far each is; what is on disk is all that counts."""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas.config import AugmentConfig, SearchConfig, parse_settings, resolved
from nas.errors import ConfigError
from nas.experiments.experiment import Claim
from nas.genotype import load_genotype

State = Literal["missing", "unfinished", "finished"]
_RESULTS = {"search": "genotype.json", "augment": "evaluation.json"}
_SETTINGS = {"search": SearchConfig, "augment": AugmentConfig}
_DO_NOT_COUNT = {"out", "resume", "data", "device", "workers", "genotype"}
"""Settings that do not change what a run means; a genotype is compared by its cells."""


@dataclass(frozen=True)
class Run:
    """One search or one retrain of a claim."""

    program: Literal["search", "augment"]
    group: str
    """The space, genotype or model whose row it belongs to."""
    name: str
    path: Path
    flags: tuple[str, ...]
    needs: Path | None = None
    """The search whose cell it trains."""

    def state(self) -> State:
        """Look at the run directory."""
        if (self.path / _RESULTS[self.program]).is_file():
            return "finished"
        return "unfinished" if (self.path / "config.yaml").is_file() else "missing"

    @property
    def is_by_name(self) -> bool:
        """Whether it trains a network by name instead of cells."""
        return any(flag.startswith("--model=") for flag in self.flags)

    def settings(self) -> SearchConfig | AugmentConfig:
        """Return what the claim says.

        Raises:
            ConfigError: A setting is wrong.
        """
        return _parse(self.program, list(self.flags))

    def check(self) -> None:
        """Check that what is on disk was made with the settings of the claim and of its cell.

        Raises:
            ConfigError: The claim's settings are wrong, or not those of the run.
        """
        wanted = self.settings()
        if self.state() == "missing":
            return
        found = _parse(self.program, [], self.path / "config.yaml")
        for field in dataclasses.fields(wanted):
            before, now = getattr(found, field.name), getattr(wanted, field.name)
            if before != now and field.name not in _DO_NOT_COUNT:
                raise ConfigError(
                    f"{self.path}: was run with {field.name} {before!r}, the claim says {now!r}; "
                    "move the run away to run it anew, or restore the claim"
                )
        self._check_cell()

    def _check_cell(self) -> None:
        """Compare the cell that was trained with the one to train; where it stands may change."""
        if self.program == "search" or not (self.path / "genotype.json").is_file():
            return
        if self.needs is not None and not (self.needs / "genotype.json").is_file():
            raise ConfigError(
                f"{self.path}: was trained, but its search {self.needs} is not finished; move the "
                "retrain away too, or restore the search"
            )
        trained = load_genotype(self.path)
        if self.group.startswith("random:"):
            seed = str(trained.search.get("seed"))
            same = trained.search.get("method") == "random" and self.group == f"random:{seed}"
        else:
            same = trained == load_genotype(self.needs or self.group)
        if not same:
            raise ConfigError(
                f"{self.path}: trained another cell than that of {self.needs or self.group}; move "
                "the run away to train this one"
            )


def _parse(
    program: str, flags: list[str], base: Path | None = None
) -> SearchConfig | AugmentConfig:
    config = parse_settings(_SETTINGS[program], f"{program}.py", "", flags, base=base)
    return resolved(config) if program == "augment" else config


def plan(claim: Claim) -> list[Run]:
    """List the runs of a claim, searches first.

    Raises:
        ConfigError: Two runs would have the same directory.
    """
    searches = [
        _run("search", claim, space, f"{space}-seed{seed}", f"--space={space}", f"--seed={seed}")
        for space in claim.spaces
        for seed in claim.search_seeds
    ]
    retrains = [
        dataclasses.replace(
            _run(
                "augment",
                claim,
                search.group,
                f"{search.name}-retrain{seed}",
                f"--genotype={search.path.as_posix()}",
                f"--seed={seed}",
            ),
            needs=search.path,
        )
        for search in searches
        for seed in claim.augment_seeds
    ]
    baselines = [
        _run(
            "augment",
            claim,
            genotype,
            f"{genotype}-retrain{seed}",
            f"--genotype={genotype}",
            f"--seed={seed}",
        )
        for genotype in claim.genotypes
        for seed in claim.augment_seeds
    ]
    networks = [
        _run("augment", claim, model, f"{model}-seed{seed}", f"--model={model}", f"--seed={seed}")
        for model in claim.models
        for seed in claim.augment_seeds
    ]
    runs = [*searches, *retrains, *baselines, *networks]
    owners: dict[Path, Run] = {}
    for run in runs:
        if (other := owners.setdefault(run.path, run)) is not run:
            raise ConfigError(
                f"{claim.folder}: {other.name} and {run.name} would share the directory "
                f"{run.path}; rename one of the files"
            )
    return runs


def _run(program: str, claim: Claim, group: str, name: str, *flags: str) -> Run:
    config = claim.search_config if program == "search" else claim.augment_config
    path = claim.folder / program / re.sub(r"[^\w.+-]+", "_", name)
    flags = (f"--config={(claim.folder / config).as_posix()}", *flags, f"--out={path.as_posix()}")
    return Run(program, group, name, path, flags)
