"""Spaces of cells: what their files may hold, checked, and joined into one record (no torch)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.errors import SearchSpaceError, shown
from nas.space.families import DEFAULT_FAMILY, CellFamily, get_cell_family
from nas.space.parts import NAME_PATTERN, SpacePart, check_keys, check_list, kind_of
from nas.space.record import SearchSpace, edge_name, edges_of

DEFAULT_NUM_NODES = 4
"""Intermediate nodes of a cell where no file says otherwise (DARTS, Sec. 3.1)."""

MAX_NUM_NODES = 16
"""More would make 16 * 19 / 2 = 152 edges and more; nobody has searched such a cell."""

KEYS = frozenset({"name", "description", "family", "num_nodes", "primitives", "edges", "plugins"})


def read_cells(files: list[SpacePart]) -> SearchSpace:
    """Check the parts of a space and join them; see `nas.space.load_space`.

    Raises:
        SearchSpaceError: A part is malformed or contradicts another.
    """
    family = next((part.family for part in files if part.family), DEFAULT_FAMILY)
    kind = get_cell_family(family)
    parts = [_parse_part(part) for part in files]
    num_nodes = _agreed_num_nodes(parts)
    edges = edges_of(num_nodes, kind.num_inputs)
    space_name = parts[0].name if len(parts) == 1 else "+".join(part.name for part in parts)
    tables = {cell_type: _union_of_edges(parts, cell_type, edges) for cell_type in kind.cell_types}
    for cell_type, table in tables.items():
        for edge, on_edge in zip(map(edge_name, edges), table, strict=True):
            if not on_edge:
                raise SearchSpaceError(
                    f"{parts[0].where}: edges.{cell_type} has nothing for {edge}; list it there "
                    "or give `primitives:` for the edges that are not listed"
                )
    return SearchSpace(
        name=space_name,
        family=family,
        num_nodes=num_nodes,
        primitives=_unique(name for part in parts for name in part.all_primitives()),
        normal=tables["normal"],
        reduce=tables.get("reduce", ()),
        plugins=_unique(plugin for part in parts for plugin in part.plugins),
        origins={name: part.where for part in reversed(parts) for name in part.all_primitives()},
    )


def check_name(name: Any, where: str) -> str:
    """Return `name` if it can be the name of a primitive, else raise SearchSpaceError."""
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        raise SearchSpaceError(
            f"{where}: {shown(name)} is not the name of a primitive (letters, digits and _)"
        )
    return name


_Edges = Mapping[str, Mapping[tuple[int, int], tuple[str, ...]]]
"""By cell type, the primitives on the edges that have a separate list."""


@dataclass(frozen=True)
class _Part:
    """One file of a union as it was written, checked but not yet filled up."""

    name: str
    where: str
    num_nodes: int | None
    primitives: tuple[str, ...]
    edges: _Edges
    plugins: tuple[str, ...]

    def all_primitives(self) -> tuple[str, ...]:
        on_edges = (
            name for table in self.edges.values() for names in table.values() for name in names
        )
        return _unique([*self.primitives, *on_edges])


def _parse_part(part: SpacePart) -> _Part:
    where, document = part.where, part.document
    check_keys(document, KEYS, where)
    num_nodes = document.get("num_nodes")
    if num_nodes is not None and (
        isinstance(num_nodes, bool)
        or not isinstance(num_nodes, int)
        or not 1 <= num_nodes <= MAX_NUM_NODES
    ):
        raise SearchSpaceError(
            f"{where}: num_nodes: expected a whole number from 1 to {MAX_NUM_NODES} "
            f"(intermediate nodes), found {shown(num_nodes)}"
        )
    if "edges" in document and num_nodes is None:
        num_nodes = DEFAULT_NUM_NODES
    primitives = _names(document.get("primitives", []), f"{where}: primitives")
    kind = get_cell_family(part.family or DEFAULT_FAMILY)
    edges = _parse_edges(document.get("edges", {}), num_nodes or DEFAULT_NUM_NODES, kind, where)
    if not primitives and not edges:
        raise SearchSpaceError(f"{where}: gives no primitives; list them under `primitives:`")
    plugins = tuple(
        _plugin(plugin, part.path or Path())
        for plugin in check_list(document.get("plugins", []), f"{where}: plugins")
    )
    return _Part(part.name, where, num_nodes, primitives, edges, plugins)


def _parse_edges(table: Any, num_nodes: int, kind: CellFamily, where: str) -> _Edges:
    where = f"{where}: edges"
    allowed = {edge_name(edge): edge for edge in edges_of(num_nodes, kind.num_inputs)}
    cell_types = " and ".join(f"`{cell_type}:`" for cell_type in kind.cell_types)
    if not isinstance(table, dict):
        raise SearchSpaceError(
            f"{where}: expected a mapping with {cell_types}, found {kind_of(table)}"
        )
    parsed = {}
    for cell_type, on_edges in table.items():
        if cell_type not in kind.cell_types or not isinstance(on_edges, dict):
            raise SearchSpaceError(
                f"{where}: expected {cell_types}, each a mapping of edges such as "
                f"'{next(iter(allowed))}', found {shown(cell_type)}: {kind_of(on_edges)}"
            )
        for edge in on_edges:
            if edge not in allowed:
                raise SearchSpaceError(
                    f"{where}.{cell_type}: there is no edge {shown(edge)} in a cell of {num_nodes} "
                    f"intermediate nodes; edges: {', '.join(allowed)}"
                )
        parsed[cell_type] = {
            allowed[edge]: _names(names, f"{where}.{cell_type}.{edge}", at_least_one=True)
            for edge, names in on_edges.items()
        }
    return {cell_type: edges for cell_type, edges in parsed.items() if edges}


def _agreed_num_nodes(parts: list[_Part]) -> int:
    stated = {part.num_nodes: part for part in parts if part.num_nodes is not None}
    if len(stated) > 1:
        found = ", ".join(f"{part.where} says {number}" for number, part in stated.items())
        raise SearchSpaceError(f"the parts of a space must agree on num_nodes: {found}")
    return next(iter(stated), DEFAULT_NUM_NODES)


def _union_of_edges(
    parts: list[_Part], cell_type: str, edges: tuple[tuple[int, int], ...]
) -> tuple[tuple[str, ...], ...]:
    return tuple(
        _unique(
            name
            for part in parts
            for name in part.edges.get(cell_type, {}).get(edge, part.primitives)
        )
        for edge in edges
    )


def _names(names: Any, where: str, at_least_one: bool = False) -> tuple[str, ...]:
    checked = tuple(
        check_name(name, f"{where}[{index}]") for index, name in enumerate(check_list(names, where))
    )
    seen = set()
    for name in checked:
        if name in seen:
            raise SearchSpaceError(f"{where}: {shown(name)} is there twice; name it once")
        seen.add(name)
    if at_least_one and not checked:
        raise SearchSpaceError(f"{where}: an edge needs at least one primitive")
    return checked


def _plugin(plugin: Any, path: Path) -> str:
    """A module's name as it is; a file's path made absolute, read from the space's folder."""
    if not isinstance(plugin, str) or not plugin:
        raise SearchSpaceError(
            f"{path}: plugins: expected the name of a module or the path of a .py file, "
            f"found {shown(plugin)}"
        )
    return str((path.parent / plugin).resolve()) if plugin.endswith(".py") else plugin


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
