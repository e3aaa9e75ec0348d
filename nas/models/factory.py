"""Networks by name: "mobilenext_1.0", "mobilenet_v2_0.35", "path/to/network.json".

A name is a family, an underscore and a width multiplier; for `mobilenext_se` the number is the
depth. `list_models` has the sizes of the paper, `build_network` builds any other width too. The
path of a network.json is the name of a network of a chain.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from nas.errors import ConfigError, close_matches, shown
from nas.genotype import load_chain
from nas.genotype.chain import names_chain
from nas.models.chain import ChainNetwork
from nas.models.mobilenet_v2 import mobilenet_v2
from nas.models.mobilenext import mobilenext
from nas.models.mobilenext_se import mobilenext_se

WIDTHS = ("1.4", "1.0", "0.75", "0.5", "0.35")
"""Table 3, in its order."""


@dataclass(frozen=True)
class Family:
    """Networks that differ in one number only."""

    build: Callable[..., nn.Module]
    """What builds one; its first argument is the number."""
    sizes: tuple[str, ...]
    """The numbers that are listed."""
    source: str
    """Where the family is in the MobileNeXt paper."""
    any_width: bool = True
    """Whether the number is a width multiplier, so that others than the listed ones exist."""
    fixed: frozenset[str] = frozenset()
    """Settings that the family's name decides."""


def _mobilenext_family(source: str, sizes: tuple[str, ...] = ("1.0",), **fixed: Any) -> Family:
    return Family(partial(mobilenext, **fixed), sizes, source, fixed=frozenset(fixed))


def _mobilenet_v2_family(block: str, source: str, **defaults: Any) -> Family:
    build = partial(mobilenet_v2, block=block, **defaults)
    return Family(build, ("1.0",), source, fixed=frozenset({"block"}))


MODEL_FAMILIES: dict[str, Family] = {
    "mobilenext": _mobilenext_family("Tables 3 to 8 and 10", WIDTHS, variant="released"),
    "mobilenext_paper": _mobilenext_family("Table 2", WIDTHS, variant="paper"),
    "mobilenext_fig4a": _mobilenext_family("Table 10, Fig. 4 (a)", block="fig4a"),
    "mobilenext_fig4b": _mobilenext_family("Table 10, Fig. 4 (b)", block="fig4b"),
    "mobilenext_bottleneck_shortcut": _mobilenext_family("Sec. 4.4", block="bottleneck_shortcut"),
    "mobilenext_last_relu6": _mobilenext_family("Sec. 4.4", block="last_relu6"),
    "mobilenext_se": Family(mobilenext_se, ("1.0", "1.1"), "Table 6", any_width=False),
    "mobilenet_v2": Family(mobilenet_v2, WIDTHS, "Tables 3 to 5 and 8"),
    "mobilenet_v2_two_dw": _mobilenet_v2_family("two_dw", "Table 5"),
    # The authors' network for Fig. 4 (c) has no dropout.
    "mobilenet_v2_fig4c": _mobilenet_v2_family("fig4c", "Table 10, Fig. 4 (c)", dropout=0.0),
}


def list_models() -> list[str]:
    """Return the names of the networks in the paper's tables, family by family."""
    return [f"{family}_{size}" for family, entry in MODEL_FAMILIES.items() for size in entry.sizes]


def check_name(name: str) -> None:
    """Raise ConfigError if no network has this name."""
    _parse(name)


def build_network(name: str, num_classes: int = 1000, **settings: Any) -> nn.Module:
    """Build a network by name.

    Args:
        name: One of `list_models()`, the same with another width, as in "mobilenext_0.6", or the
            path of a network.json or of the run directory of a search that has one.
        num_classes: Of the data set.
        **settings: What the family's function or `ChainNetwork` takes: `identity_ratio`,
            `dropout`, ...

    Raises:
        ConfigError: The name or a setting is unknown, or a value is out of range.
        ChainError: A network.json cannot be read.
    """
    build, allowed = _builder(name)
    for setting in settings:
        if setting not in allowed:
            raise ConfigError(
                f"{name}: {shown(setting)} is no setting of this network; "
                f"{close_matches(setting, sorted(allowed))}"
            )
    try:
        return build(num_classes=num_classes, **settings)
    except ConfigError as cause:
        raise ConfigError(f"{name}: {cause}") from cause


def _builder(name: str) -> tuple[Callable[..., nn.Module], set[str]]:
    """Return what builds a network of a name, and the names of the settings it takes."""
    if isinstance(name, str) and (name.endswith(".json") or names_chain(name)):
        allowed = {"in_channels", "identity_ratio", "dropout"}
        return partial(ChainNetwork, load_chain(name)), allowed
    family, size = _parse(name)
    entry = MODEL_FAMILIES[family]
    number = float(size) if entry.any_width else size
    return partial(entry.build, number), _settings_of(entry)


def _parse(name: str) -> tuple[str, str]:
    """Return family and number of a name."""
    match = re.fullmatch(r"(\w+?)_(\d+(?:\.\d+)?)", name) if isinstance(name, str) else None
    if match is None or match[1] not in MODEL_FAMILIES:
        raise ConfigError(
            f"model: {shown(name)} is unknown; {_suggestion(str(name))} "
            "(nas.models.list_models() has all names; other widths are written the same way)"
        )
    family, size = match[1], match[2]
    entry = MODEL_FAMILIES[family]
    if entry.any_width:
        return family, size
    same = [known for known in entry.sizes if float(known) == float(size)]
    if not same:
        raise ConfigError(
            f"model: {shown(name)} is unknown; {family} has no other sizes than "
            f"{' and '.join(entry.sizes)}"
        )
    return family, same[0]


def _suggestion(name: str) -> str:
    known = list_models()
    # A family without a number is closest to its own first size, however it is spelled.
    if name in MODEL_FAMILIES:
        return f"did you mean '{name}_1.0'?"
    return close_matches(name, known)


def _settings_of(entry: Family) -> set[str]:
    """Return the names of the settings a family takes, other than what its name decides."""
    parameters = list(inspect.signature(entry.build).parameters)
    return set(parameters[1:]) - {"num_classes"} - entry.fixed
