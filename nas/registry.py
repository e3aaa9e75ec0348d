"""One registry for everything that has a name: operators, methods, terms, monitors, stops.

A name is registered once; an unknown one is an error that names close matches. A plug-in that
fails leaves no trace (`rollback_on_error`), and a test registers what it likes (`temporary`).
"""

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from nas.errors import NasError, close_matches

Entry = TypeVar("Entry")

_ALL: "weakref.WeakSet[Registry]" = weakref.WeakSet()


class Registry(Generic[Entry]):
    """Entries of one kind by name."""

    def __init__(self, kind: str, error: type[NasError], advice: str = ""):
        """Start empty.

        Args:
            kind: What an entry is called in messages, such as "operator".
            error: Raised for a name that is taken or unknown.
            advice: Ends the message for an unknown name.
        """
        self.kind = kind
        self._error = error
        self._advice = advice
        self._entries: dict[str, Entry] = {}
        self._modules: dict[str, str] = {}
        _ALL.add(self)

    def add(self, name: str, entry: Entry, module: str) -> None:
        """Register an entry.

        Args:
            name: Its name.
            entry: The entry.
            module: The module it comes from, for the message if the name is registered again.

        Raises:
            NasError: The name is taken; the type is the `error` of this registry.
        """
        if name in self._entries:
            raise self._error(
                f"{self.kind} {name!r} is already registered by {self._modules[name]}; "
                "choose another name"
            )
        self._entries[name] = entry
        self._modules[name] = module

    def get(self, name: str, where: str = "", also_known: Iterable[str] = ()) -> Entry:
        """Return the entry of a name.

        Args:
            name: The name.
            where: The file or setting that uses it, for the message.
            also_known: More names that the user may have meant.

        Raises:
            NasError: It is not registered; the message names close matches.
        """
        if name in self._entries:
            return self._entries[name]
        prefix = f"{where}: " if where else ""
        known = [*self.names(), *also_known]
        raise self._error(
            f"{prefix}unknown {self.kind} {name!r}; {close_matches(name, known)}{self._advice}"
        )

    def names(self) -> list[str]:
        """Return all registered names, sorted."""
        return sorted(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries


@contextmanager
def rollback_on_error() -> Iterator[None]:
    """Take back what was registered anywhere in the block if the block raises."""
    before = _snapshot()
    try:
        yield
    except BaseException:
        _restore(before)
        raise


@contextmanager
def temporary() -> Iterator[None]:
    """Take back what was registered anywhere in the block when the block ends."""
    before = _snapshot()
    try:
        yield
    finally:
        _restore(before)


def _snapshot() -> dict[Registry, dict]:
    return {registry: dict(registry._entries) for registry in _ALL}


def _restore(before: dict[Registry, dict]) -> None:
    for registry, entries in before.items():
        registry._entries.clear()
        registry._entries.update(entries)
