"""The operator registry: what may stand on an edge, by name.

An operator is built by `(channels, stride, *, affine) -> nn.Module` and maps
(N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride)). What the search has to know about it is
a flag of its record, never a test on its name, so that a user's own operator works like ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from nas.errors import OperatorError, shown
from nas.operators.plain import plain_settings
from nas.primitives import BUILT_IN, Primitive
from nas.registry import Registry
from nas.space import list_spaces

Factory = Callable[..., nn.Module]


@dataclass(frozen=True)
class Operator:
    """One registered operator."""

    name: str
    factory: Factory
    """`(channels, stride, *, affine) -> nn.Module`."""
    label: str
    """What a diagram writes on its edge."""
    family: str
    """Which of `nas.primitives.OPERATOR_FAMILIES` gives its color in a diagram."""
    source: str = ""
    """The paper, section or table it follows."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Ratios and rules that a retrain must not guess; they go into genotype.json."""
    is_zero: bool = False
    """It passes nothing on, and is never decoded."""
    is_identity: bool = False
    """At stride 1 it passes its input on as it is: a skip connection, exempt from drop path."""
    norm_in_search: bool = False
    """In a search a BatchNorm without scale and shift follows it (DARTS: pooling)."""
    is_random: bool = False
    """It draws random numbers in every pass, which the finite difference of second order cannot."""
    parameter_free: bool = False
    """Without weights and without chance: the supernet evaluates it once a state, not an edge."""
    relu_first: bool = False
    """An nn.Sequential that starts with nn.ReLU, which the supernet then evaluates once a state."""
    norm_last: bool = False
    """An nn.Sequential that ends with nn.BatchNorm2d, which can carry the architecture weight."""

    def description(self) -> dict[str, Any]:
        """Return what genotype.json stores of it: label, family and settings."""
        return {"label": self.label, "family": self.family, "settings": dict(self.settings)}


OPERATORS: Registry[Operator] = Registry(
    "operator",
    OperatorError,
    advice=" (`plugins:` in a space file or --plugins lists modules that register more)",
)


def register_operator(
    name: str,
    *,
    label: str | None = None,
    family: str | None = None,
    source: str = "",
    settings: Mapping[str, Any] | None = None,
    is_zero: bool = False,
    is_identity: bool = False,
    norm_in_search: bool = False,
    is_random: bool = False,
    parameter_free: bool = False,
    relu_first: bool = False,
    norm_last: bool = False,
) -> Callable[[Factory], Factory]:
    """Register the decorated factory as the operator `name`.

    Args:
        name: The primitive that spaces and genotypes use.
        label: What a diagram writes; None takes the name with spaces.
        family: One of `nas.primitives.OPERATOR_FAMILIES`; None is "other".
        source: The paper it follows.
        settings: Ratios and rules to store in genotype.json, in values that JSON has; tuples and
            NumPy numbers become lists and numbers.
        is_zero: It passes nothing on.
        is_identity: At stride 1 it passes its input on.
        norm_in_search: A BatchNorm follows it in the search.
        is_random: It draws random numbers in every pass.
        parameter_free: It has no weights and no chance in it.
        relu_first: It is an nn.Sequential that starts with nn.ReLU.
        norm_last: It is an nn.Sequential that ends with nn.BatchNorm2d.

    The last three only make a search faster; they hold wherever the module is built that way
    (a skip connection is parameter-free at stride 1 only).

    Raises:
        OperatorError: The name is taken, or a label, a family or settings cannot be kept in
            genotype.json.
    """
    known = BUILT_IN.get(name, Primitive(name, name.replace("_", " ")))
    for what, text in (("label", label), ("family", family)):
        if text is not None and not isinstance(text, str):
            raise OperatorError(f"operator {name!r}: {what}: expected text, found {shown(text)}")

    def register(factory: Factory) -> Factory:
        operator = Operator(
            name=name,
            factory=factory,
            label=label or known.label,
            family=family or known.family,
            source=source,
            settings=plain_settings(name, settings or {}),
            is_zero=is_zero,
            is_identity=is_identity,
            norm_in_search=norm_in_search,
            is_random=is_random,
            parameter_free=parameter_free,
            relu_first=relu_first,
            norm_last=norm_last,
        )
        OPERATORS.add(name, operator, getattr(factory, "__module__", "another module"))
        return factory

    return register


def list_operators() -> list[str]:
    """Return the names of all registered operators, sorted."""
    return OPERATORS.names()


def get_operator(name: str, asked_by: str = "") -> Operator:
    """Return the record of an operator.

    Args:
        name: Its name.
        asked_by: The file or setting that uses the name, for the message.

    Raises:
        OperatorError: It is not registered; the message names close matches.
    """
    return OPERATORS.get(name, asked_by, list_spaces() if asked_by else ())


def build_operator(name: str, channels: int, stride: int = 1, *, affine: bool = True) -> nn.Module:
    """Build an operator.

    Args:
        name: A registered name.
        channels: C, of the input and of the output.
        stride: 1 or 2.
        affine: Whether its BatchNorms have a scale and a shift.

    Raises:
        OperatorError: The name is not registered.
    """
    return get_operator(name).factory(channels, stride, affine=affine)
