"""A table with the accuracy of every architecture of a space, read from a CSV file.

The first column is `arch`, the string of `nas.genotype.arch_string`; every other column has the
accuracies on one data set, in percent. The file may be compressed (`.csv.gz`).
"""

import csv
import gzip
import io
import itertools
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nas.errors import GenotypeError, NasError, close_matches, shown
from nas.genotype.arch_string import arch_string, parse_arch_string

_MAX_BYTES = 1 << 28
_ARCH = "arch"


class OracleError(NasError):
    """A table of accuracies, or what is looked up in it, is wrong."""


class Place(NamedTuple):
    """Where an architecture is among all of a table."""

    accuracy: float
    """In percent."""
    rank: int
    """1 is the best; equal accuracies have equal ranks."""
    percentile: float
    """The share of the architectures that are worse, in percent."""
    regret: float
    """How far it is below the best, in points."""


@dataclass(frozen=True)
class Table:
    """The accuracies of all architectures on one data set."""

    path: Path
    dataset: str
    """The name of the column."""
    accuracies: dict[str, float]
    """By architecture, in percent."""
    operators: tuple[str, ...]
    """As the strings name them."""
    num_nodes: int
    """Nodes after the input."""

    @cached_property
    def ordered(self) -> np.ndarray:
        """All accuracies, lowest first."""
        return np.sort(np.fromiter(self.accuracies.values(), float))

    @property
    def best(self) -> float:
        """The highest accuracy."""
        return float(self.ordered[-1])

    def place_of(self, arch: str) -> Place:
        """Look up an architecture.

        Args:
            arch: Its string; the whitespace around nodes does not matter.

        Raises:
            GenotypeError: It is another text.
            OracleError: It has other nodes or operators than those of the table.
        """
        arch = arch_string(parse_arch_string(arch, "architecture"))
        if arch not in self.accuracies:
            raise OracleError(self._why_not(arch))
        accuracy = self.accuracies[arch]
        below = int(np.searchsorted(self.ordered, accuracy, side="left"))
        above = len(self.ordered) - int(np.searchsorted(self.ordered, accuracy, side="right"))
        return Place(accuracy, above + 1, 100 * below / len(self.ordered), self.best - accuracy)

    def _why_not(self, arch: str) -> str:
        num_nodes = arch.count("+") + 1
        if num_nodes != self.num_nodes:
            return (
                f"{arch}: has {num_nodes} nodes after the input, the architectures of "
                f"{self.path} have {self.num_nodes}"
            )
        names = dict.fromkeys(entry.partition("~")[0] for entry in _entries(arch))
        unknown = next(name for name in names if name not in self.operators)
        return (
            f"{arch}: unknown operator {shown(unknown)}; "
            f"{close_matches(unknown, self.operators)} ({self.path})"
        )


def read_table(path: str | Path, dataset: str | None = None) -> Table:
    """Read a table and check that it is whole.

    Args:
        path: A CSV file, or one that gzip compressed.
        dataset: The name of the column; None is the first.

    Raises:
        OracleError: It cannot be read, an architecture is missing or there twice, or a value is
            not an accuracy.
    """
    path = Path(path)
    rows = csv.reader(io.StringIO(_text_of(path)), strict=True)
    try:
        header = next(rows, [])
        column = _column(header, dataset, path)
        accuracies: dict[str, float] = {}
        lines: dict[str, int] = {}
        for row in rows:
            where = f"{path}: line {rows.line_num}"
            arch, value = _checked(row, header, column, where)
            if arch in accuracies:
                raise OracleError(f"{where}: {arch} is there twice; first on line {lines[arch]}")
            accuracies[arch], lines[arch] = value, rows.line_num
    except csv.Error as cause:
        raise OracleError(f"{path}: line {rows.line_num}: not CSV: {cause}") from cause
    return _whole(path, header[column], accuracies)


def _text_of(path: Path) -> str:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as cause:
        reason = getattr(cause, "strerror", None) or cause
        raise OracleError(f"{path}: cannot be read: {reason}") from cause
    if len(content) > _MAX_BYTES:
        raise OracleError(f"{path}: more than {_MAX_BYTES >> 20} MiB; is it a table?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise OracleError(
            f"{path}: not text in UTF-8; expected a CSV file, whose name ends in .gz only if it is "
            "compressed"
        ) from cause


def _column(header: list[str], dataset: str | None, path: Path) -> int:
    names = header[1:]
    if header[:1] != [_ARCH] or not all(names) or not names or len(set(header)) < len(header):
        raise OracleError(
            f"{path}: line 1: expected {_ARCH} and then the names of data sets, as in "
            f"{_ARCH},cifar10, found {shown(','.join(header))}"
        )
    if dataset is not None and dataset not in names:
        raise OracleError(
            f"dataset: {path} has no column {shown(dataset)}; {close_matches(dataset, names)}"
        )
    return 1 if dataset is None else header.index(dataset)


def _checked(row: list[str], header: list[str], column: int, where: str) -> tuple[str, float]:
    """Return architecture and accuracy of a row, all of whose values are checked."""
    if len(row) != len(header):
        raise OracleError(f"{where}: expected {len(header)} values, found {len(row)}")
    for name, text in zip(header[1:], row[1:], strict=True):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= 100:
            raise OracleError(
                f"{where}: {name}: expected an accuracy from 0 to 100 percent, found {shown(text)}"
            )
    try:
        arch = arch_string(parse_arch_string(row[0], where))
    except GenotypeError as cause:
        raise OracleError(str(cause)) from cause
    return arch, float(row[column])


def _whole(path: Path, dataset: str, accuracies: dict[str, float]) -> Table:
    """Return the table if it has every architecture of its operators and nodes."""
    if not accuracies:
        raise OracleError(f"{path}: has no architectures; expected one on every line after line 1")
    sizes = {arch.count("+") + 1: arch for arch in accuracies}
    if len(sizes) > 1:
        few, many = sorted(sizes)[:2]
        raise OracleError(
            f"{path}: {sizes[few]} has {few} nodes after the input, {sizes[many]} has {many}; a "
            "table has architectures of one size"
        )
    (num_nodes,) = sizes
    operators = tuple(
        dict.fromkeys(entry.partition("~")[0] for arch in accuracies for entry in _entries(arch))
    )
    expected = len(operators) ** (num_nodes * (num_nodes + 1) // 2)
    if len(accuracies) != expected:
        missing = next(arch for arch in _all(operators, num_nodes) if arch not in accuracies)
        raise OracleError(
            f"{path}: has {len(accuracies)} of the {expected} architectures with its operators; "
            f"the first that is missing is {missing}"
        )
    return Table(path, dataset, accuracies, operators, num_nodes)


def _all(operators: tuple[str, ...], num_nodes: int) -> Iterator[str]:
    """Yield every architecture."""
    edges = [(target, source) for target in range(1, num_nodes + 1) for source in range(target)]
    for names in itertools.product(operators, repeat=len(edges)):
        nodes: list[list[str]] = [[] for _ in range(num_nodes)]
        for (target, source), name in zip(edges, names, strict=True):
            nodes[target - 1].append(f"{name}~{source}")
        yield "+".join(f"|{'|'.join(node)}|" for node in nodes)


def _entries(arch: str) -> Iterator[str]:
    """Yield `operator~source` of every edge."""
    for node in arch.split("+"):
        yield from node.strip("|").split("|")
