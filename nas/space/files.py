"""Search space files: found by name or path, checked, and joined into one record (no torch).

The format is described in `search_spaces/README.md`. Only the structure is checked here: whether
the names are operators is asked by `nas.operators.resolve`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.errors import SearchSpaceError, close_matches, shown
from nas.space.families import DEFAULT_FAMILY, Family, get_family
from nas.space.record import SearchSpace, edge_name, edges_of
from nas.strict_yaml import is_file, read_yaml

DEFAULT_NUM_NODES = 4
"""Intermediate nodes of a cell where no file says otherwise (DARTS, Sec. 3.1)."""

MAX_NUM_NODES = 16
"""More would make 16 * 19 / 2 = 152 edges and more; nobody has searched such a cell."""

_KEYS = {"name", "description", "family", "num_nodes", "primitives", "edges", "plugins"}
NAME_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def load_space(text: str | Path) -> SearchSpace:
    """Load a search space by name, by path, or as a union of several.

    Args:
        text: The name of a file in `search_spaces/` ("darts"), the path of a YAML file, or
            parts joined by "+" ("darts+sandglass", "my_space.yaml+conv_3x3"). A part that is
            no file is the name of one operator.

    Returns:
        The union of the parts in order. A part without a table of edges puts its primitives
        on every edge; the parts that state `num_nodes` must agree; where none does, it is 4.

    Raises:
        SearchSpaceError: A file is missing, malformed or contradicts another part.
    """
    text = str(text)
    names = [text] if is_file(Path(text)) else text.split("+")
    parts = [_load_part(name.strip(), text) for name in names]
    num_nodes = _agreed_num_nodes(parts)
    family = _agreed_family(parts)
    kind = get_family(family)
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


def list_spaces() -> list[str]:
    """Return the names of the spaces that come with the project, sorted."""
    return sorted(path.stem for path in _spaces_dir().glob("*.yaml"))


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
    family: str | None
    num_nodes: int | None
    primitives: tuple[str, ...]
    edges: _Edges
    plugins: tuple[str, ...]

    def all_primitives(self) -> tuple[str, ...]:
        on_edges = (
            name for table in self.edges.values() for names in table.values() for name in names
        )
        return _unique([*self.primitives, *on_edges])


def _spaces_dir() -> Path:
    package = Path(__file__).parent.parent
    installed = package / "search_spaces"
    return installed if installed.is_dir() else package.parent / "search_spaces"


def _load_part(name: str, whole: str) -> _Part:
    looks_like_path = name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name
    path = Path(name) if looks_like_path else _spaces_dir() / f"{name}.yaml"
    if is_file(path):
        return _parse_part(read_yaml(path, SearchSpaceError), path)
    if looks_like_path:
        raise SearchSpaceError(
            f"space {shown(whole)}: there is no file {shown(name)}; give the path of a "
            f"YAML file or one of the names {', '.join(list_spaces())}"
        )
    if not NAME_PATTERN.fullmatch(name):
        raise SearchSpaceError(
            f"space {shown(whole)}: {shown(name)} is neither a space nor the name of an operator; "
            f"{close_matches(name, list_spaces())}"
        )
    return _Part(name, f"space {shown(whole)}", None, None, (name,), {}, ())


def _parse_part(document: Any, path: Path) -> _Part:
    where = str(path)
    if not isinstance(document, dict):
        raise SearchSpaceError(
            f"{where}: a space file is a mapping with the keys {', '.join(sorted(_KEYS))}; "
            f"this one holds {_kind(document)}"
        )
    for key in document:
        if key not in _KEYS:
            raise SearchSpaceError(
                f"{where}: unknown key {shown(key)}; {close_matches(key, sorted(_KEYS))}"
            )
    for key in ("name", "description"):
        if key in document and not isinstance(document[key], str):
            raise SearchSpaceError(f"{where}: {key}: expected text, found {_kind(document[key])}")
    family = document.get("family")
    if family is not None:
        get_family(family, f"{where}: family")
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
    kind = get_family(family or DEFAULT_FAMILY)
    edges = _parse_edges(document.get("edges", {}), num_nodes or DEFAULT_NUM_NODES, kind, where)
    if not primitives and not edges:
        raise SearchSpaceError(f"{where}: gives no primitives; list them under `primitives:`")
    plugins = tuple(
        _plugin(plugin, path) for plugin in _list(document.get("plugins", []), f"{where}: plugins")
    )
    return _Part(
        document.get("name", path.stem), where, family, num_nodes, primitives, edges, plugins
    )


def _parse_edges(table: Any, num_nodes: int, kind: Family, where: str) -> _Edges:
    where = f"{where}: edges"
    allowed = {edge_name(edge): edge for edge in edges_of(num_nodes, kind.num_inputs)}
    cell_types = " and ".join(f"`{cell_type}:`" for cell_type in kind.cell_types)
    if not isinstance(table, dict):
        raise SearchSpaceError(
            f"{where}: expected a mapping with {cell_types}, found {_kind(table)}"
        )
    parsed = {}
    for cell_type, on_edges in table.items():
        if cell_type not in kind.cell_types or not isinstance(on_edges, dict):
            raise SearchSpaceError(
                f"{where}: expected {cell_types}, each a mapping of edges such as "
                f"'{next(iter(allowed))}', found {shown(cell_type)}: {_kind(on_edges)}"
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


def _agreed_family(parts: list[_Part]) -> str:
    stated = {part.family: part for part in parts if part.family is not None}
    if len(stated) > 1:
        said = ", ".join(f"{part.where} says {family}" for family, part in stated.items())
        raise SearchSpaceError(f"the parts of a space must agree on family: {said}")
    return next(iter(stated), DEFAULT_FAMILY)


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
        check_name(name, f"{where}[{index}]") for index, name in enumerate(_list(names, where))
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


def _list(value: Any, where: str) -> list:
    if not isinstance(value, list):
        raise SearchSpaceError(f"{where}: expected a list, found {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", type(None): "nothing"}
    return names.get(type(value)) or shown(value)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
