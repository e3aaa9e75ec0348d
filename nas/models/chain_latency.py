"""Measured latencies of the layers of a chain; the latency of a network is their sum.

    latency(network) = c(stem) + sum over its blocks b of c(b) + c(head)

Each c is what a layer adds to a network (`nas.deploy.chain_probes`), so that nothing is fitted to
whole networks; those that are in the table show the error of the sum.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nas.errors import ConfigError, ReportError, SearchSpaceError
from nas.records import is_count, is_number, is_object, is_text, read_object, read_rows, take
from nas.space import Block, ChainSpace
from nas.space.chain_cost import ChainCosts, build_chain_costs, count_chain
from nas.space.chain_files import chain_document, parse_chain
from nas.space.chain_layers import LayerAt, head_of, layers_of_chain, stem_of

_SHOWN = 3
"""How many missing layers a message names."""


@dataclass(frozen=True)
class Measured:
    """A latency at batch 1, and the rows and columns of the input."""

    size: int
    latency_ms: float
    """From the undisturbed rounds; noise may make that of a tiny layer negative."""
    median_ms: float
    """From the median over all rounds: what else the machine did adds to it."""


@dataclass(frozen=True)
class CheckedNetwork:
    """A network of the space as a whole, and the sum of its layers."""

    stages: tuple[tuple[str, ...], ...]
    """The candidate of each layer of each stage."""
    measured_ms: float
    predicted_ms: float

    @property
    def error(self) -> float:
        """How far the sum is off, relative to the network; above 0 it is too high."""
        return self.predicted_ms / self.measured_ms - 1


@dataclass(frozen=True)
class ChainLatency:
    """What `nas latency` writes for a chain."""

    space: ChainSpace
    """At its width multiplier and image size."""
    num_classes: int
    in_channels: int
    engine: str
    """What runs the network: eager, compiled, onnx_fp32 or onnx_int8."""
    num_threads: int
    num_calls: int
    """Of each layer and network."""
    layers: Mapping[LayerAt, Measured]
    checked: tuple[CheckedNetwork, ...]
    """Random networks, which show the error."""
    date: str
    """When it was measured, ISO 8601."""
    environment: Mapping[str, Any]
    """Device and versions."""

    @cached_property
    def errors(self) -> tuple[float, float]:
        """The median and the largest absolute relative error over the networks as a whole."""
        found = [abs(network.error) for network in self.checked]
        return statistics.median(found), max(found)

    def costs(
        self, space: ChainSpace, image_size: int, num_classes: int, in_channels: int = 3
    ) -> ChainCosts:
        """Return the latency in milliseconds of every choice of a chain.

        Args:
            space: At its width multiplier.
            image_size: Rows and columns of the images.
            num_classes: Of the data set.
            in_channels: Of the images.

        Raises:
            ConfigError: The table is of other sizes, or lacks layers of the space.
        """
        space = space.at_size(image_size)
        again = (
            f"measure it with `nas latency TABLE --space {space.name} --width_mult "
            f"{space.width_mult:g} --image_size {image_size} --num_classes {num_classes} --engine "
            f"{self.engine}`"
        )
        for name, of_table, wanted in (
            ("width", self.space.width_mult, space.width_mult),
            ("image size", self.space.image_size, image_size),
            ("number of classes", self.num_classes, num_classes),
            ("number of input channels", self.in_channels, in_channels),
        ):
            if of_table != wanted:
                raise ConfigError(
                    f"latency_table: measured with {name} {of_table:g}, but the target is about "
                    f"{wanted:g}; {again}"
                )
        layers = layers_of_chain(space, num_classes, in_channels)
        missing = [layer.text() for layer in layers if layer not in self.layers]
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            raise ConfigError(
                f"latency_table: measured for space {self.space.name!r}, lacks "
                f"{'; '.join(missing[:_SHOWN])}{more} of space {space.name!r}; {again}"
            )
        return chain_costs(
            {layer: measured.latency_ms for layer, measured in self.layers.items()},
            space,
            num_classes,
            in_channels,
        )

    def to_json(self) -> str:
        """Return the content of the file."""
        document = {
            "engine": self.engine,
            "num_threads": self.num_threads,
            "num_calls": self.num_calls,
            "num_classes": self.num_classes,
            "in_channels": self.in_channels,
            "date": self.date,
            "environment": self.environment,
            "checked": [asdict(network) for network in self.checked],
            "layers": [
                asdict(measured) | asdict(layer.block) for layer, measured in self.layers.items()
            ],
            "space": chain_document(self.space),
        }
        return json.dumps(document, indent=1) + "\n"


def chain_costs(
    times_ms: Mapping[LayerAt, float], space: ChainSpace, num_classes: int, in_channels: int = 3
) -> ChainCosts:
    """Return the latency of every choice of a chain from that of each layer.

    Args:
        times_ms: Of all of `layers_of_chain`.
        space: At its width multiplier and image size.
        num_classes: Of the data set.
        in_channels: Of the images.
    """
    ends = times_ms[stem_of(space, in_channels)] + times_ms[head_of(space, num_classes)]
    return build_chain_costs(space, lambda block, size: times_ms[LayerAt(block, size)], ends)


def target_costs(
    quantity: str,
    space: ChainSpace,
    image_size: int,
    num_classes: int,
    in_channels: int,
    latency_table: str | None,
) -> ChainCosts:
    """Return what a target of a chain is about: what is counted, or what a table says.

    Args:
        quantity: "madds", "parameters" or "latency_ms".
        space: At its width multiplier.
        image_size: Rows and columns of the images.
        num_classes: Of the data set.
        in_channels: Of the images.
        latency_table: The file of the table, for "latency_ms".

    Raises:
        ConfigError: The table cannot be read, or does not fit the space and the images.
    """
    if quantity != "latency_ms":
        return count_chain(quantity, space, image_size, num_classes, in_channels)
    table = read_chain_latency(Path(str(latency_table)))
    return table.costs(space, image_size, num_classes, in_channels)


def read_chain_latency(path: Path) -> ChainLatency:
    """Read a file that `nas latency` wrote for a chain.

    Raises:
        ConfigError: It cannot be read or is damaged, or is a table of cells.
    """
    try:
        return _parse(read_object(path), str(path))
    except (ReportError, SearchSpaceError) as cause:
        raise ConfigError(f"latency_table: {cause}") from cause


def _parse(document: Mapping[str, Any], where: str) -> ChainLatency:
    if "operators" in document:
        raise ReportError(
            f"{where}: is a table of cells, but the target is about a chain; measure with `nas "
            "latency --space` and the chain"
        )
    space = take(document, "space", where, is_object, "an object")
    blocks = read_rows(Block, document, "layers", where)
    measured = read_rows(Measured, document, "layers", where)
    at = [LayerAt(block, one.size) for block, one in zip(blocks, measured, strict=True)]
    if len(set(at)) < len(at):
        twice = next(layer for layer in at if at.count(layer) > 1)
        raise ReportError(f"{where}: layers: {twice.text()} is there twice")
    checked = take(document, "checked", where, _are_checked, "a list of networks")
    return ChainLatency(
        space=parse_chain(space, f"{where}: space", "unnamed"),
        **{
            key: take(document, key, where, is_count, "a whole number")
            for key in ("num_classes", "in_channels", "num_threads", "num_calls")
        },
        **{key: take(document, key, where, is_text, "text") for key in ("engine", "date")},
        layers=dict(zip(at, measured, strict=True)),
        checked=tuple(
            CheckedNetwork(
                tuple(map(tuple, one["stages"])), one["measured_ms"], one["predicted_ms"]
            )
            for one in checked
        ),
        environment=take(document, "environment", where, is_object, "an object"),
    )


def _are_checked(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_checked, value))


def _is_checked(value: Any) -> bool:
    return (
        is_object(value)
        and all(is_number(value.get(key)) for key in ("measured_ms", "predicted_ms"))
        and value["measured_ms"] > 0
        and _is_names(value.get("stages"))
    )


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(names, list) and all(map(is_text, names)) for names in value
    )


def error_lines(checked: Sequence[CheckedNetwork]) -> list[str]:
    """Return a table in Markdown of how far the sums are off."""
    lines = ["| network | layers | measured (ms) | sum of layers (ms) | error |"]
    lines.append("|---|---:|---:|---:|---:|")
    for seed, network in enumerate(checked):
        lines.append(
            f"| random:{seed} | {sum(map(len, network.stages))} | {network.measured_ms:.3f} | "
            f"{network.predicted_ms:.3f} | {network.error:+.1%} |"
        )
    return lines
