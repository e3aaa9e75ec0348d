"""Methods, terms, monitors, stops and selections by name.

Each is a frozen dataclass whose fields are its settings. `@register_method("name")` registers one;
`build(METHODS, choice, "method")` makes a record from the name and the settings that a user gave.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from nas.config.choice import NAME, Choice
from nas.errors import ConfigError, close_matches, shown
from nas.registry import Registry
from nas.search.method import Method

Record = TypeVar("Record", bound=type)


@dataclass(frozen=True)
class Entry:
    """What is registered: a class and where it comes from."""

    record: type
    source: str
    """The paper, section or equation."""

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (self.record.__doc__ or "").strip().partition("\n")[0]


_PLUGINS = " (--plugins lists modules that register more)"
METHODS: Registry[Entry] = Registry("method", ConfigError, _PLUGINS)
TERMS: Registry[Entry] = Registry("term", ConfigError, _PLUGINS)
MONITORS: Registry[Entry] = Registry("monitor", ConfigError, _PLUGINS)
STOPS: Registry[Entry] = Registry("stop", ConfigError, _PLUGINS)
SELECTIONS: Registry[Entry] = Registry("selection", ConfigError, _PLUGINS)


def register_method(name: str, *, source: str = "") -> Callable[[Record], Record]:
    """Register the decorated subclass of `nas.search.Method`.

    Raises:
        ConfigError: The name is taken.
    """
    return _registering(METHODS, name, source)


def register_term(name: str, *, source: str = "") -> Callable[[Record], Record]:
    """Register the decorated term of the alpha loss; see `nas.search.terms`."""
    return _registering(TERMS, name, source)


def register_monitor(name: str, *, source: str = "") -> Callable[[Record], Record]:
    """Register the decorated monitor; see `nas.search.monitors`."""
    return _registering(MONITORS, name, source)


def register_stop(name: str, *, source: str = "") -> Callable[[Record], Record]:
    """Register the decorated stopping rule; see `nas.search.stops`."""
    return _registering(STOPS, name, source)


def register_selection(name: str, *, source: str = "") -> Callable[[Record], Record]:
    """Register the decorated selection; see `nas.search.selections`."""
    return _registering(SELECTIONS, name, source)


def list_methods() -> list[str]:
    """Return the names of all registered search methods, sorted."""
    return METHODS.names()


def format_registered() -> str:
    """Return all registered names with their settings, defaults and sources, as text."""
    blocks = []
    for registry in (METHODS, TERMS, MONITORS, STOPS, SELECTIONS):
        lines = [f"{registry.kind}s"]
        for name in registry.names():
            entry = registry.get(name)
            settings = "".join(
                f",{field.name}={field.default}" for field in dataclasses.fields(entry.record)
            )
            lines += [f"  {name}{settings}", f"      {entry.summary}"]
            lines += [f"      {entry.source}"] if entry.source else []
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def build(registry: Registry[Entry], choice: Choice, where: str) -> Any:
    """Build the record that a choice names.

    Args:
        registry: Where to look the name up.
        choice: The name and the settings as text.
        where: The setting that holds the choice, for messages.

    Raises:
        ConfigError: The name is unknown, a setting is unknown or of another type, or a value is
            out of range.
    """
    record = registry.get(choice.name, where).record
    where = f"{where}: {choice.name}"
    hints = get_type_hints(record)
    allowed = [field.name for field in dataclasses.fields(record) if field.init]
    settings = {}
    for key, text in choice.settings.items():
        if key not in allowed:
            advice = close_matches(key, allowed) if allowed else "it has no settings"
            raise ConfigError(f"{where}: unknown setting {shown(key)}; {advice}")
        settings[key] = _value(text, hints[key], f"{where}: {key}")
    try:
        return record(**settings)
    except (ConfigError, ValueError) as cause:  # the latter of a plug-in
        raise ConfigError(f"{where}: {cause}") from cause


def settings_of(record: Any) -> dict[str, Any]:
    """Return the settings of a record as plain values."""
    return dataclasses.asdict(record)


def _registering(registry: Registry[Entry], name: str, source: str) -> Callable[[Record], Record]:
    kind = registry.kind
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigError(
            f"{kind} {name!r}: expected a name of letters, digits and underscores, as in "
            f'@register_{kind}("my_{kind}")'
        )

    def register(record: Record) -> Record:
        _check(record, f"{kind} {name!r}")
        if registry is METHODS and not issubclass(record, Method):
            raise ConfigError(f"{kind} {name!r}: its class must be a subclass of nas.search.Method")
        if registry is not METHODS and "__call__" not in dir(record):
            raise ConfigError(f"{kind} {name!r}: add a method __call__ to its class")
        registry.add(name, Entry(record, source), record.__module__)
        return record

    return register


def _check(record: type, where: str) -> None:
    """Raise ConfigError unless a class can hold settings."""
    parameters = getattr(record, "__dataclass_params__", None)
    if parameters is None or not parameters.frozen:
        raise ConfigError(f"{where}: add @dataclass(frozen=True) to its class")
    hints = get_type_hints(record)
    for field in dataclasses.fields(record):
        if field.name == "name" or hints[field.name] not in (int, float, bool, str):
            raise ConfigError(
                f"{where}: setting {field.name}: expected an int, float, bool or str with another "
                f"name than `name`, found {hints[field.name]}"
            )
        if field.default is dataclasses.MISSING:
            raise ConfigError(f"{where}: setting {field.name}: give it a default")


def _value(text: str, kind: type, where: str) -> Any:
    """Convert text to the type of a field."""
    if kind is str:
        return text
    if kind is bool:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise ConfigError(f"{where}: expected true or false, found {shown(text)}")
    words = {int: "a whole number", float: "a number"}
    try:
        value = kind(text)
    except ValueError as cause:
        raise ConfigError(f"{where}: expected {words[kind]}, found {shown(text)}") from cause
    if kind is float and not -float("inf") < value < float("inf"):
        raise ConfigError(f"{where}: expected a finite number, found {shown(text)}")
    return value
