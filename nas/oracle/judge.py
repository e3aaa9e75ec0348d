"""Look up in a table what searches found, at each epoch and at their end."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nas.genotype import Genotype, load_genotype
from nas.genotype.arch_string import is_arch_string
from nas.oracle.table import OracleError, Place, Table
from nas.report.checks import METRICS
from nas.report.run import Run, cells_of_record, read_run
from nas.strict_yaml import is_directory

_NOT_COMPARED = {"seed", "out", "resume"}
"""Settings in which runs of one group may differ."""


class Verdict(NamedTuple):
    """What the table says of the cell of one epoch."""

    epoch: int
    arch: str
    place: Place


@dataclass(frozen=True)
class Judged:
    """An architecture or a search, looked up."""

    name: str
    arch: str
    """The architecture; of a search the one in genotype.json, else that of its last epoch."""
    place: Place
    epochs: tuple[Verdict, ...] = ()
    """The cell of every epoch of a search."""
    group: str = ""
    """What runs that differ in their seed have in common; empty for an architecture."""
    is_finished: bool = True


class Spread(NamedTuple):
    """Mean and spread of the runs of one group, over their seeds."""

    group: str
    num_seeds: int
    mean: float
    """Accuracy in percent."""
    std: float | None
    """In points, with num_seeds - 1; None for one run."""
    worst: float
    percentile: float
    """Mean, in percent."""
    regret: float
    """Mean, in points."""


def judge(table: Table, subjects: Sequence[str]) -> list[Judged]:
    """Look up architectures and searches.

    Args:
        table: The accuracies.
        subjects: Run directories of searches, architecture strings, or files with a genotype.

    Raises:
        OracleError: One is named twice, is not in the table, or is no search.
        NasError: A run or a file cannot be read.
    """
    if len(set(subjects)) < len(subjects):
        raise OracleError("a run or an architecture is named twice; name each once")
    runs = [read_run(name) if _is_run(name) else None for name in subjects]
    labels = _groups([run for run in runs if run is not None])
    judged = []
    for name, run in zip(subjects, runs, strict=True):
        if run is None:
            arch = _arch_of(load_genotype(name), name)
            shown = "architecture" if is_arch_string(name) else name
            judged.append(Judged(shown, arch, _place(table, arch, name)))
        else:
            judged.append(_judge_run(table, run, labels[run.path]))
    return judged


def spreads(judged: Sequence[Judged]) -> list[Spread]:
    """Return mean and spread of each group of runs, in order of appearance."""
    groups = dict.fromkeys(one.group for one in judged if one.group)
    return [_spread(group, [j.place for j in judged if j.group == group]) for group in groups]


def _spread(group: str, places: list[Place]) -> Spread:
    accuracies = [place.accuracy for place in places]
    return Spread(
        group=group,
        num_seeds=len(places),
        mean=statistics.fmean(accuracies),
        std=statistics.stdev(accuracies) if len(places) > 1 else None,
        worst=min(accuracies),
        percentile=statistics.fmean(place.percentile for place in places),
        regret=statistics.fmean(place.regret for place in places),
    )


def _judge_run(table: Table, run: Run, group: str) -> Judged:
    name = str(run.path)
    if run.kind != "search":
        raise OracleError(f"{name}: is a {run.noun}; name the run directory of a search")
    if run.genotype is None:
        raise OracleError(f"{name}: has no cell yet; a search writes one after each epoch")
    epochs = []
    for record in run.metrics:
        cells = cells_of_record(record, run.path / METRICS)
        if cells is not None:
            arch = _arch_of(cells, name)
            epochs.append(Verdict(record["epoch"], arch, _place(table, arch, name)))
    arch = _arch_of(run.genotype, name)
    is_finished = (run.path / "genotype.json").is_file()
    return Judged(name, arch, _place(table, arch, name), tuple(epochs), group, is_finished)


def _place(table: Table, arch: str, name: str) -> Place:
    try:
        return table.place_of(arch)
    except OracleError as cause:
        if is_arch_string(name):
            raise
        raise OracleError(f"{name}: {cause}") from cause


def _is_run(name: str) -> bool:
    return not is_arch_string(name) and is_directory(Path(name))


def _arch_of(genotype: Genotype, name: str) -> str:
    if genotype.kind.edges_per_node is not None:
        raise OracleError(
            f"{name}: is a cell of the family {genotype.family}; the table has cells of the family "
            "nasbench201, as --space nasbench201 finds them"
        )
    return genotype.to_text()


def _groups(runs: Sequence[Run]) -> dict[Path, str]:
    """Name the group of each run: its method and space, numbered where other settings differ."""
    settings = {
        run.path: {key: str(v) for key, v in run.config.items() if key not in _NOT_COMPARED}
        for run in runs
    }
    names: dict[Path, str] = {}
    known: dict[str, list[dict[str, str]]] = {}
    for run in runs:
        method = str(run.config.get("method", "darts"))
        order = run.config.get("order", run.config.get("architect"))
        label = f"{method}, {order}" if order not in (None, "first_order") else method
        variants = known.setdefault(label, [])
        if settings[run.path] not in variants:
            variants.append(settings[run.path])
        number = variants.index(settings[run.path]) + 1
        names[run.path] = label if number == 1 else f"{label} ({number})"
    return names
