"""What the finished runs of an experiment were made with: commits, dates, machines."""

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas.errors import ReportError, shown
from nas.experiments.plan import Program, Run
from nas.records import read_object

_PROGRAMS: dict[Program, str] = {"search": "searches", "augment": "trainings"}


@dataclass(frozen=True)
class Provenance:
    """Where the runs of one program come from."""

    program: Program
    num_runs: int
    commits: tuple[str, ...]
    """Of the code, shortened, each once; "-dirty" if files differed from it."""
    oldest_code: str | None
    """Date of the oldest of these commits, ISO 8601; None if a run does not say it."""
    started: tuple[str, ...]
    """When the first and the last run started, ISO 8601; empty if a run does not say it."""
    machines: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a results file."""
        return asdict(self)

    def to_text(self) -> str:
        """Return a sentence."""
        days = " to ".join(dict.fromkeys(moment[:10] for moment in self.started))
        parts = [f"{self.num_runs} {_PROGRAMS[self.program]}"]
        parts += [f"started {days}"] if days else []
        parts += [f"commits {', '.join(self.commits)}"] if self.commits else []
        return "; ".join([*parts, *self.machines]) + "."


def provenance(runs: Sequence[Run]) -> list[Provenance]:
    """Return where the finished runs come from, an entry for each program.

    Raises:
        ReportError: An env.json is damaged.
    """
    finished = [run for run in runs if run.state() == "finished"]
    by_program = {
        program: [_environment(run.path) for run in finished if run.program == program]
        for program in _PROGRAMS
    }
    return [_describe(program, found) for program, found in by_program.items() if found]


def _describe(program: Program, environments: list[dict[str, Any]]) -> Provenance:
    codes = [environment.get("commit_date") or "" for environment in environments]
    starts = sorted(environment.get("started") or "" for environment in environments)
    commits = [_shortened(environment.get("commit")) for environment in environments]
    return Provenance(
        program=program,
        num_runs=len(environments),
        commits=tuple(dict.fromkeys(filter(None, commits))),
        oldest_code=min(codes, key=datetime.datetime.fromisoformat) if all(codes) else None,
        started=(starts[0], starts[-1]) if starts[0] else (),
        machines=tuple(dict.fromkeys(map(_machine, environments))),
    )


def _shortened(commit: str | None) -> str:
    sha, dash, rest = (commit or "").partition("-")
    return f"{sha[:12]}{dash}{rest}"


def _machine(environment: dict[str, Any]) -> str:
    device = environment.get("device", "cpu")
    on = environment.get("cpu") if device == "cpu" else device
    cores, threads = environment.get("num_cpus"), environment.get("num_threads")
    return f"{on}, cores: {cores}, threads of a run: {threads}, torch {environment.get('torch')}"


def _environment(path: Path) -> dict[str, Any]:
    file = path / "env.json"
    environment = read_object(file) if file.is_file() else {}
    for key in ("commit_date", "started"):
        if environment.get(key) is not None and not _is_moment(environment[key]):
            raise ReportError(
                f"{file}: {key}: expected a date and time in ISO 8601, found "
                f"{shown(environment[key])}; restore the file or move the run away to repeat it"
            )
    return environment


def _is_moment(value: Any) -> bool:
    try:
        return datetime.datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False
