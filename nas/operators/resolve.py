"""From the names in a space to operators: plug-ins imported, every name checked, once."""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nas.errors import GenotypeError, NasError, OperatorError, SearchSpaceError, close_matches
from nas.genotype import Genotype
from nas.operators.contract import check_contract
from nas.operators.registry import get_operator, list_operators
from nas.registry import rollback_on_error
from nas.space import SearchSpace, Space

NUM_DECODED_EDGES = 2
"""Incoming edges that a decoded node keeps (DARTS, Sec. 2.2)."""


def can_be_decoded(name: str, space: Space) -> bool:
    """Whether what is decoded may hold a primitive; in a chain any candidate or depth."""
    return space.kind.edges_per_node is None or not get_operator(name).is_zero


def resolve(space: SearchSpace, plugins: Iterable[str] = ()) -> None:
    """Import a space's plug-ins and check that it can be searched.

    Args:
        space: The space.
        plugins: More modules or .py files to import, such as those of `--plugins`.

    Raises:
        OperatorError: A plug-in does not import, registers a taken name or breaks the contract
            of an operator, or a primitive is unknown.
        SearchSpaceError: A node has fewer incoming edges than are kept that pass something on.
    """
    load_plugins([*plugins, *space.plugins])
    for name in space.primitives:
        get_operator(name, space.origins.get(name, f"space {space.name!r}"))
    needed = space.kind.edges_per_node or 1
    for cell_type, on_edges in space.groups.items():
        for target in space.nodes:
            usable = sum(
                any(not get_operator(name).is_zero for name in on_edges[edge])
                for edge in space.incoming(target)
            )
            if usable < needed:
                raise SearchSpaceError(
                    f"space {space.name!r}: {cell_type} cell, node {target}: {usable} of its "
                    "incoming edges have a primitive that passes something on; "
                    f"{needed} {'is' if needed == 1 else 'are'} needed"
                )


def resolve_genotype(genotype: Genotype, plugins: Iterable[str] = ()) -> None:
    """Check that a genotype can be built here as it was meant.

    The plug-ins that the genotype names are not imported: a file from elsewhere may not choose
    what is executed.

    Args:
        genotype: The genotype.
        plugins: Modules or .py files to import first.

    Raises:
        OperatorError: A plug-in fails, as in `resolve`.
        GenotypeError: A primitive is unknown, its operator has other settings than the one that
            the genotype was found with, or the number of nodes is not that of its space.
    """
    load_plugins(plugins)
    num_nodes = genotype.space.get("num_nodes", len(genotype.normal))
    if num_nodes != len(genotype.normal):
        raise GenotypeError(
            f"genotype: has {len(genotype.normal)} nodes, but says that its space has {num_nodes}; "
            "the file was changed by hand or damaged"
        )
    for name in genotype.primitives:
        if name not in list_operators():
            named = ", ".join(genotype.space.get("plugins", ()))
            hint = f"; it was found with --plugins {named}: pass them if you trust them" * bool(
                named
            )
            close = close_matches(name, list_operators())
            raise GenotypeError(f"genotype: unknown operator {name!r}; {close}{hint}")
        known = dict(get_operator(name).settings)
        recorded = dict(genotype.operators.get(name, {}).get("settings", known))
        if recorded != known:
            raise GenotypeError(
                f"genotype: {name} was found with the settings {recorded}, but here it is built "
                f"with {known}; register an operator with those settings, or remove `operators` "
                "from the file to use what is here"
            )


def load_plugins(plugins: Iterable[str]) -> None:
    """Import modules and .py files that register operators, each once.

    Raises:
        OperatorError: One fails; what it had registered until then is taken back.
    """
    for plugin in plugins:
        before = list_operators()
        try:
            with rollback_on_error():
                _import(plugin)
                for name in sorted(set(list_operators()) - set(before)):
                    check_contract(get_operator(name))
        except BaseException as cause:
            sys.modules.pop(_module_name(plugin), None)
            if not isinstance(cause, Exception | SystemExit):
                raise
            reason = str(cause) if isinstance(cause, NasError) else _reason(cause)
            raise OperatorError(f"plug-in {plugin!r}: {reason}") from cause


def _import(plugin: str) -> None:
    name = _module_name(plugin)
    if not plugin.endswith(".py"):
        importlib.import_module(name)
        return
    if name in sys.modules:
        return
    path = Path(plugin)
    if not path.is_file():
        raise OperatorError("the file does not exist")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise OperatorError("Python cannot import this file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _importing_from(path.resolve().parent):
        spec.loader.exec_module(module)


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Let a plug-in import the files next to it.

    They are forgotten afterwards, so that a plug-in in another folder can have files of the same
    name, and a file here is not taken for one there.
    """
    sys.path.insert(0, str(folder))
    before = set(sys.modules)
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(folder):
                del sys.modules[name]


def _module_name(plugin: str) -> str:
    if not plugin.endswith(".py"):
        return plugin
    path = Path(plugin).resolve()
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return f"nas_plugin_{path.stem}_{digest}"


def _reason(cause: BaseException) -> str:
    if isinstance(cause, ModuleNotFoundError):
        return (
            f"cannot be imported: {cause}; give the path of a .py file or a module that "
            "`python -c 'import ...'` finds"
        )
    return f"cannot be imported: {type(cause).__name__}: {cause}"
