"""The runs of a claim and how far each is; what is on disk is all that counts."""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas.claims.record import Claim
from nas.config import AugmentConfig, SearchConfig, parse_settings
from nas.errors import ConfigError

State = Literal["missing", "unfinished", "finished"]
_RESULTS = {"search": "genotype.json", "augment": "evaluation.json"}
_SETTINGS = {"search": SearchConfig, "augment": AugmentConfig}
_DO_NOT_COUNT = {"out", "resume", "data", "device", "workers"}
"""Settings that do not change what a run means."""


@dataclass(frozen=True)
class Run:
    """One search or one retrain of a claim."""

    program: Literal["search", "augment"]
    group: str
    """The space or genotype whose row it belongs to."""
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

    def check(self) -> None:
        """Check that what is on disk was made with the settings of the claim.

        Raises:
            ConfigError: The claim's settings are wrong, or not those of the run.
        """
        settings = _SETTINGS[self.program]
        prog = f"{self.program}.py"
        wanted = parse_settings(settings, prog, "", list(self.flags))
        if self.state() == "missing":
            return
        found = parse_settings(settings, prog, "", [], base=self.path / "config.yaml")
        for field in dataclasses.fields(settings):
            before, now = getattr(found, field.name), getattr(wanted, field.name)
            if before != now and field.name not in _DO_NOT_COUNT:
                raise ConfigError(
                    f"{self.path}: was run with {field.name} {before!r}, the claim says {now!r}; "
                    "move the run away to run it anew, or restore the claim"
                )


def plan(claim: Claim) -> list[Run]:
    """List the runs of a claim, searches first."""
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
    return [*searches, *retrains, *baselines]


def _run(program: str, claim: Claim, group: str, name: str, *flags: str) -> Run:
    config = claim.search_config if program == "search" else claim.augment_config
    path = claim.folder / program / re.sub(r"[^\w.+-]+", "_", name)
    flags = (f"--config={(claim.folder / config).as_posix()}", *flags, f"--out={path.as_posix()}")
    return Run(program, group, name, path, flags)
