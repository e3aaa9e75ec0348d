"""Search space files: found by name or path, read, and given to their family (no torch).

The format is described in `search_spaces/README.md`. Only the structure is checked here and in the
readers of the families: whether names are operators is asked by `nas.operators.resolve`.
"""

from pathlib import Path
from typing import Any

from nas.errors import SearchSpaceError, close_matches, shown
from nas.space.chain import ChainSpace
from nas.space.families import DEFAULT_FAMILY, get_family
from nas.space.parts import NAME_PATTERN, SpacePart, kind_of
from nas.space.record import SearchSpace
from nas.strict_yaml import is_file, read_yaml

Space = SearchSpace | ChainSpace
"""A search space of any kind."""


def load_space(text: str | Path) -> Space:
    """Load a search space by name, by path, or as a union of several.

    Args:
        text: The name of a file in `search_spaces/` ("darts", "mobilenext_chain"), the path of a
            YAML file, or parts joined by "+" ("darts+sandglass", "my_space.yaml+conv_3x3"). A part
            that is no file is the name of one operator.

    Returns:
        A space of cells, or a chain, which is always one file. Of several parts it is the union in
        order: a part without a table of edges puts its primitives on every edge; the parts that
        state `num_nodes` must agree; where none does, it is 4.

    Raises:
        SearchSpaceError: A file is missing, malformed or contradicts another part.
    """
    text = str(text)
    names = [text] if is_file(Path(text)) else text.split("+")
    parts = [_find_part(name.strip(), text) for name in names]
    return get_family(_agreed_family(parts)).load("read")(parts)


def load_space_at(text: str | Path, width_mult: float | None) -> Space:
    """Load a space; a chain at a width multiplier, unless it is None.

    Raises:
        SearchSpaceError: As in `load_space`.
    """
    space = load_space(text)
    if isinstance(space, ChainSpace) and width_mult is not None:
        return space.at_width(width_mult)
    return space


def load_cells(text: str | Path, where: str = "space") -> SearchSpace:
    """Load a space of cells; see `load_space`.

    Args:
        text: As in `load_space`.
        where: The setting that names it, for the message.

    Raises:
        SearchSpaceError: As in `load_space`, or it is a chain.
    """
    space = load_space(text)
    if not isinstance(space, SearchSpace):
        raise SearchSpaceError(
            f"{where}: {space.name} is a chain of blocks, but a space of cells is needed here, "
            "such as darts"
        )
    return space


def load_chain_space(text: str | Path, where: str = "space") -> ChainSpace:
    """Load a space of chains; see `load_space`.

    Raises:
        SearchSpaceError: As in `load_space`, or it is a space of cells.
    """
    space = load_space(text)
    if not isinstance(space, ChainSpace):
        raise SearchSpaceError(
            f"{where}: {space.name} is a space of cells, but a chain is needed here, such as "
            "mobilenext_chain"
        )
    return space


def list_spaces() -> list[str]:
    """Return the names of the spaces that come with the project, sorted."""
    return sorted(path.stem for path in _spaces_dir().glob("*.yaml"))


def _spaces_dir() -> Path:
    package = Path(__file__).parent.parent
    installed = package / "search_spaces"
    return installed if installed.is_dir() else package.parent / "search_spaces"


def _find_part(name: str, whole: str) -> SpacePart:
    looks_like_path = name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name
    path = Path(name) if looks_like_path else _spaces_dir() / f"{name}.yaml"
    if is_file(path):
        return _read_part(read_yaml(path, SearchSpaceError), path)
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
    return SpacePart(name, f"space {shown(whole)}", None, {"primitives": [name]}, None)


def _read_part(document: Any, path: Path) -> SpacePart:
    where = str(path)
    if not isinstance(document, dict):
        raise SearchSpaceError(
            f"{where}: a space file is a mapping with the keys `primitives:` or, of a chain, "
            f"`stages:`, and others; this one holds {kind_of(document)}"
        )
    for key in ("name", "description"):
        if key in document and not isinstance(document[key], str):
            raise SearchSpaceError(f"{where}: {key}: expected text, found {kind_of(document[key])}")
    family = document.get("family")
    if family is not None:
        get_family(family, f"{where}: family")
    elif "stages" in document:
        raise SearchSpaceError(f"{where}: has stages but no family; add `family: chain`")
    return SpacePart(document.get("name", path.stem), where, family, document, path)


def _agreed_family(parts: list[SpacePart]) -> str:
    stated = {part.family: part for part in parts if part.family is not None}
    if len(stated) > 1:
        said = ", ".join(f"{part.where} says {family}" for family, part in stated.items())
        raise SearchSpaceError(f"the parts of a space must agree on family: {said}")
    return next(iter(stated), DEFAULT_FAMILY)
