"""Read a run directory, of a search or of a training run, into one frozen record.

A file that is not there yet is reported as missing; a damaged one is an error.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nas.detection_record import DetectionEvaluation, read_detection
from nas.errors import ChainError, GenotypeError, ReportError, shown
from nas.genotype import Chain, Genotype, load_chain, load_genotype
from nas.genotype.chain import FILE_NAME as NETWORK_FILE
from nas.genotype.frontier import FILE_NAME as FRONTIER_FILE
from nas.genotype.frontier import Frontier, read_frontier
from nas.genotype.record import cell_keys
from nas.primitives import BUILT_IN
from nas.records import Cost, Evaluation, read_cost, read_evaluation, read_object
from nas.report.checks import (
    METRICS,
    TIMING,
    check_detection_record,
    check_search_record,
    check_timing,
    check_training_record,
    read_epochs,
)
from nas.space import DEFAULT_FAMILY, ChainSpace, Space, load_space
from nas.strict_yaml import is_directory, read_yaml

Kind = Literal["search", "training", "detection"]

_WRITTEN = {
    "config.yaml": "the settings of the run; it is written at the beginning",
    "env.json": "the environment of the run; it is written at the beginning",
    "space.yaml": "the search space; a search writes it at the beginning",
    METRICS: "the curves; it gets a line after each epoch",
    TIMING: "the times; it gets a line after each epoch",
    "genotype.json": "the final cells; a search writes it at its end",
    NETWORK_FILE: "the final network; a search writes it at its end",
    FRONTIER_FILE: "the networks of all targets; a search writes it at its end",
    "cost.json": "parameters and multiply-adds; a training run writes it at the beginning",
    "detection.json": "average precision of each class; a training writes it at its end",
    "evaluation.json": "test accuracy and confusion matrix; a training run writes it at its end",
}
_EXPECTED: dict[Kind, tuple[str, ...]] = {
    "search": ("config.yaml", "env.json", "space.yaml", METRICS, TIMING, "genotype.json"),
    "training": (*("config.yaml", "env.json", "cost.json", METRICS, TIMING, "evaluation.json"),),
    "detection": (*("config.yaml", "env.json", "cost.json", METRICS, TIMING, "detection.json"),),
}


_CHECKS = {
    "search": check_search_record,
    "training": check_training_record,
    "detection": check_detection_record,
}


@dataclass(frozen=True)
class Run:
    """The contents of a run directory; what is not there yet is None or empty."""

    path: Path
    kind: Kind
    config: Mapping[str, Any] = field(default_factory=dict)
    """The settings, by name."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """The contents of env.json."""
    space: Space | None = None
    genotype: Genotype | None = None
    """In a search in progress, the cells decoded after its last epoch."""
    chain: Chain | None = None
    """The network of a chain, where the run is of one; in a search in progress the one decoded
    after its last epoch."""
    frontier: Frontier | None = None
    """The networks of a search of several targets."""
    metrics: tuple[Mapping[str, Any], ...] = ()
    """One record an epoch, checked as `nas.report.checks` does."""
    timing: tuple[Mapping[str, Any], ...] = ()
    """One record an epoch: `time_s`, seconds, and perhaps more."""
    cost: Cost | None = None
    evaluation: Evaluation | None = None
    detection: DetectionEvaluation | None = None
    missing: tuple[str, ...] = ()
    """A line for each file that is not there yet."""

    @property
    def noun(self) -> str:
        """What it is, in words."""
        return "search" if self.kind == "search" else "training run"

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.path.resolve().name

    @property
    def of_targets(self) -> bool:
        """Whether it is what the searches of several targets have in common."""
        return bool(self.config.get("targets"))


def read_run(run_dir: str | Path) -> Run:
    """Read a run directory.

    Args:
        run_dir: The directory of a search or a training run, finished or not.

    Raises:
        ReportError: It is not a run directory, or a file in it is damaged.
        GenotypeError: genotype.json is damaged.
        ChainError: network.json or frontier.json is damaged.
        SearchSpaceError: space.yaml is damaged.
    """
    path = Path(run_dir)
    if not is_directory(path):
        raise ReportError(f"{path}: this directory does not exist; name the directory of a run")
    config = _read(path / "config.yaml", _read_config) or {}
    kind = _kind_of(path, config)
    metrics = _read(path / METRICS, lambda file: read_epochs(file, _CHECKS[kind])) or []
    genotype = _read(path / "genotype.json", load_genotype)
    if genotype is None and kind == "search" and metrics:
        genotype = cells_of_record(metrics[-1], path / METRICS)
    space = _read(path / "space.yaml", load_space) if kind == "search" else None
    chain = _read(path / NETWORK_FILE, load_chain)
    expected = _EXPECTED[kind]
    if isinstance(space, ChainSpace):
        result = FRONTIER_FILE if config.get("targets") else NETWORK_FILE
        expected = tuple(result if name == "genotype.json" else name for name in expected)
        if chain is None and metrics and result == NETWORK_FILE:
            chain = network_of_record(metrics[-1], space, path / METRICS)
            if chain is not None and config.get("image_size"):
                chain = dataclasses.replace(chain, search={"image_size": config["image_size"]})
    found = genotype or chain
    untrained = found is not None and found.search.get("epochs") == 0
    missing = [
        f"{name} is not there yet: {_WRITTEN[name]}"
        for name in expected
        if not (path / name).is_file() and not (untrained and name in (METRICS, TIMING))
    ]
    if not metrics and (path / METRICS).is_file():
        missing.append(f"{METRICS} has no finished epoch yet: {_WRITTEN[METRICS]}")
    return Run(
        path=path,
        kind=kind,
        config=config,
        environment=_read(path / "env.json", read_object) or {},
        space=space,
        genotype=_with_labels(genotype) if genotype else None,
        chain=chain,
        frontier=_read(path / FRONTIER_FILE, read_frontier),
        metrics=tuple(metrics),
        timing=tuple(_read(path / TIMING, lambda file: read_epochs(file, check_timing)) or ()),
        cost=_read(path / "cost.json", read_cost),
        evaluation=_read(path / "evaluation.json", read_evaluation),
        detection=_read(path / "detection.json", read_detection) if kind == "detection" else None,
        missing=tuple(missing),
    )


def _read(path: Path, reader: Callable[[Path], Any]) -> Any:
    """Read a file that may not exist; None where it does not."""
    return reader(path) if path.is_file() else None


def _read_config(path: Path) -> dict[str, Any]:
    config = read_yaml(path, ReportError)
    if not isinstance(config, dict):
        raise ReportError(f"{path}: expected a mapping of settings such as `epochs: 50`")
    return config


def _kind_of(path: Path, config: Mapping[str, Any]) -> Kind:
    """Return the kind of a run, from its settings or else from its files."""
    if "train_split" in config:
        return "detection"
    if {"genotype", "model", "network"} & config.keys():
        return "training"
    if "space" in config or (path / "space.yaml").is_file():
        return "search"
    if any((path / name).is_file() for name in ("cost.json", "evaluation.json")):
        return "training"
    raise ReportError(
        f"{path}: neither a search (config.yaml with `space`, space.yaml) nor a "
        "training run (config.yaml with `genotype` or `model`, cost.json, evaluation.json)"
    )


def cells_of_record(record: Mapping[str, Any], path: Path) -> Genotype | None:
    """Return the cells that a record of a search holds; None where there are none.

    Args:
        record: One that `check_search_record` has checked.
        path: The file it is from, for messages.

    Raises:
        ReportError: The record holds something else.
    """
    cells = record.get("genotype")
    if not cells:
        return None
    where = f"{path}: epoch {record['epoch']}: genotype"
    family = cells.get("family", DEFAULT_FAMILY) if isinstance(cells, dict) else DEFAULT_FAMILY
    try:
        keys = cell_keys(family, where)
        if not isinstance(cells, dict) or cells.keys() != keys:
            raise ReportError(f"{where}: expected {', '.join(sorted(keys))}, found {shown(cells)}")
        return _with_labels(Genotype(**cells))
    except GenotypeError as cause:
        raise ReportError(f"{where}: {cause}") from cause


def network_of_record(record: Mapping[str, Any], space: ChainSpace, path: Path) -> Chain | None:
    """Return the network that a record of a search of a chain holds; None where there is none.

    Raises:
        ReportError: The record holds something else.
    """
    stages = record.get("network")
    if not stages:
        return None
    where = f"{path}: epoch {record['epoch']}: network"
    if not isinstance(stages, list):
        raise ReportError(f"{where}: expected a list of stages, found {shown(stages)}")
    try:
        return Chain(space, tuple(stages))
    except ChainError as cause:
        raise ReportError(f"{where}: {cause}") from cause


def _with_labels(genotype: Genotype) -> Genotype:
    """Show an operator without a description under its name."""
    unknown = {
        name: {"label": name, "family": "other"}
        for name in genotype.primitives
        if name not in genotype.operators and name not in BUILT_IN
    }
    return dataclasses.replace(genotype, operators={**unknown, **genotype.operators})
