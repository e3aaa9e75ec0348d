"""The genotype: the one file between a search and everything after it (no torch).

A genotype is a set of discrete cells, in the DARTS family a pair: for each intermediate node the
primitives that feed it and the nodes they read, and which nodes are concatenated as the cell's
output. The record may also carry
what training and a diagram must not guess: descriptions of its operators, the space it was found
in, and the search that found it.

Source: DARTS (arXiv:1806.09055), Sec. 2.1 and Fig. 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nas.errors import GenotypeError, SearchSpaceError, close_matches, shown
from nas.genotype.arch_string import arch_string, is_arch_string, parse_arch_string
from nas.genotype.checks import check_complete, check_concat, check_nodes
from nas.genotype.document import read_document, write_document
from nas.space import CELL_TYPES, DEFAULT_FAMILY, CellFamily, get_cell_family

FORMAT = "sandglass-nas genotype"
VERSION = 1

Node = tuple[tuple[str, int], ...]
"""The (primitive, source) pairs that feed one intermediate node, strongest first."""


@dataclass(frozen=True)
class Genotype:
    """A normal and a reduction cell; in a family with one kind of cell, a normal one.

    Sources count all nodes of a cell, its inputs first: in the DARTS family 0 and 1 are c_{k-2} and
    c_{k-1}, 2 is the first intermediate node. Two genotypes are equal when their cells are; the
    details do not count.
    """

    normal: tuple[Node, ...]
    normal_concat: tuple[int, ...] = ()
    """The nodes whose outputs are concatenated; DARTS: all intermediate ones. In a family that
    keeps every edge it is the last node, and may be left out."""
    reduce: tuple[Node, ...] = ()
    reduce_concat: tuple[int, ...] = ()
    operators: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, compare=False)
    """For each primitive used: `label`, `family` and the `settings` of its operator."""
    space: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The space it was found in: `name`, `num_nodes`, `primitives`, `plugins`."""
    search: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The search that found it: `seed`, `commit`, `epochs`, final `alphas`, ..."""
    family: str = DEFAULT_FAMILY
    """The family of its space, a key of `nas.space.FAMILIES`."""

    def __post_init__(self) -> None:
        kind = self.kind
        for cell_type in kind.cell_types:
            nodes = check_nodes(getattr(self, cell_type), cell_type, kind.num_inputs)
            num_states = kind.num_inputs + len(nodes)
            concat = getattr(self, f"{cell_type}_concat")
            if kind.edges_per_node is None:
                check_complete(nodes, cell_type, kind.num_inputs)
                concat = concat or (num_states - 1,)
            concat = check_concat(concat, num_states, f"{cell_type}_concat")
            object.__setattr__(self, cell_type, nodes)
            object.__setattr__(self, f"{cell_type}_concat", concat)
        for cell_type in CELL_TYPES:
            if cell_type not in kind.cell_types and getattr(self, cell_type):
                raise GenotypeError(f"{cell_type}: family {self.family} does not have this cell")

    @property
    def kind(self) -> CellFamily:
        """The record of the family."""
        try:
            return get_cell_family(self.family)
        except SearchSpaceError as cause:
            raise GenotypeError(str(cause)) from cause

    def cells(self) -> dict[str, Any]:
        """Return the fields that make two genotypes equal: `Genotype(**cells)` is this one."""
        fields: dict[str, Any] = {}
        if self.family != DEFAULT_FAMILY:
            fields["family"] = self.family
        for cell_type in self.kind.cell_types:
            fields[cell_type] = getattr(self, cell_type)
            fields[f"{cell_type}_concat"] = getattr(self, f"{cell_type}_concat")
        return fields

    @cached_property
    def primitives(self) -> tuple[str, ...]:
        """The names it uses, each once, in order of appearance."""
        names = (name for cell in (self.normal, self.reduce) for node in cell for name, _ in node)
        return tuple(dict.fromkeys(names))

    def to_json(self) -> str:
        """Write the versioned JSON document of genotype.json.

        Raises:
            GenotypeError: A number among the details is not finite, which JSON cannot say.
        """
        document = {
            "format": FORMAT,
            "version": VERSION,
            **self.cells(),
        }
        for key in ("operators", "space", "search"):
            if getattr(self, key):
                document[key] = getattr(self, key)
        return write_document(document, GenotypeError)

    @classmethod
    def from_json(cls, text: str, where: str = "genotype") -> "Genotype":
        """Read a document that `to_json` wrote.

        Args:
            text: The JSON document, at most 1 MiB.
            where: Its name, for messages.

        Raises:
            GenotypeError: The text is cut short, is of another format or version, or describes
                cells that cannot be.
        """
        document = read_document(
            text, where, GenotypeError, what="genotype", format=FORMAT, version=VERSION
        )
        known = {"format", "version", "family", "operators", "space", "search"}
        family = document.get("family", DEFAULT_FAMILY)
        cells = cell_keys(family, where) - {"family"}
        if missing := sorted(cells - document.keys()):
            raise GenotypeError(f"{where}: without {', '.join(missing)}")
        if unknown := sorted(document.keys() - cells - known):
            near = close_matches(unknown[0], sorted(cells | known))
            raise GenotypeError(f"{where}: unknown key {shown(unknown[0])}; {near}")
        details = {key: document.get(key, {}) for key in ("operators", "space", "search")}
        for key, value in details.items():
            if not isinstance(value, dict):
                raise GenotypeError(f"{where}: {key}: expected an object, found {shown(value)}")
        for name, description in details["operators"].items():
            if not isinstance(description, dict) or not all(
                isinstance(description.get(key), str) for key in ("label", "family")
            ):
                raise GenotypeError(f"{where}: operators.{name}: expected a label and a family")
            if not isinstance(description.get("settings", {}), dict):
                raise GenotypeError(f"{where}: operators.{name}.settings: expected an object")
        _check_space(details["space"], where)
        try:
            return cls(**{key: document[key] for key in cells}, **details, family=family)
        except GenotypeError as cause:
            raise GenotypeError(f"{where}: {cause}") from cause

    def to_text(self, *, nested: bool = False) -> str:
        """Write the one-line form that the code of the family's paper prints and reads.

        Args:
            nested: Write one list a node, as khanrc/pt.darts does, instead of one flat list.

        Raises:
            GenotypeError: A node has not exactly two inputs, which the flat form cannot say.
        """
        if self.kind.edges_per_node is None:
            return arch_string(self.normal)
        parts = []
        for cell_type in CELL_TYPES:
            nodes = getattr(self, cell_type)
            if not nested and any(len(node) != 2 for node in nodes):
                raise GenotypeError(
                    f"{cell_type}: the flat DARTS text needs two inputs per node; use JSON or the "
                    "nested text"
                )
            concat = getattr(self, f"{cell_type}_concat")
            listed = [list(node) for node in nodes]
            flat = [pair for node in nodes for pair in node]
            parts.append(f"{cell_type}={listed if nested else flat}")
            parts.append(f"{cell_type}_concat={_concat_text(concat)}")
        return f"Genotype({', '.join(parts)})"

    @classmethod
    def from_text(cls, text: str, where: str = "genotype", name: str | None = None) -> "Genotype":
        """Read a genotype as other codes print or keep it; docs/genotypes.md lists the forms.

        Args:
            text: The text; it is parsed, never evaluated.
            where: Its name, for messages.
            name: Which genotype to read, if the text assigns several.

        Raises:
            GenotypeError: There is none in the text, or it describes cells that cannot be.
        """
        from nas.genotype.text import parse_text

        if name is None and is_arch_string(text):
            return cls(parse_arch_string(text, where), family="nasbench201")
        try:
            return cls(**parse_text(text, name))  # type: ignore[arg-type]  # lists, until checked
        except GenotypeError as cause:
            raise GenotypeError(f"{where}: {cause}") from cause


def cell_keys(family: Any, where: str) -> set[str]:
    """Return the names of the fields that `Genotype.cells` returns for a family.

    Raises:
        GenotypeError: There is no family of this name.
    """
    try:
        kinds = get_cell_family(family, f"{where}: family").cell_types
    except SearchSpaceError as cause:
        raise GenotypeError(str(cause)) from cause
    keys = {key for kind in kinds for key in (kind, f"{kind}_concat")}
    return keys if family == DEFAULT_FAMILY else {"family", *keys}


def _check_space(space: dict[str, Any], where: str) -> None:
    for key, kind in (("name", str), ("num_nodes", int), ("primitives", list), ("plugins", list)):
        value: Any = space.get(key, kind())
        if type(value) is not kind:
            raise GenotypeError(
                f"{where}: space.{key}: expected {kind.__name__}, found {shown(value)}"
            )
        if isinstance(value, list) and not all(isinstance(entry, str) for entry in value):
            raise GenotypeError(f"{where}: space.{key}: expected a list of names")


def _concat_text(concat: tuple[int, ...]) -> str:
    start, stop = concat[0], concat[-1] + 1
    return f"range({start}, {stop})" if concat == tuple(range(start, stop)) else str(list(concat))
