"""Measured latencies of operators, one by one, and the latency of a network as their sum.

    latency(network) = offset + sum over the operators of its cells of their latency

The offset is everything else: stem, preprocessing, sums and concatenations, classifier, and the
calls of all of it. It is measured: the mean over networks of what the sum leaves over.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas.config.network_size import NetworkSize
from nas.errors import ConfigError, ReportError
from nas.genotype import Genotype
from nas.models.cost import CostTable, build_cost_table
from nas.operators import get_operator
from nas.operators.contract import OperatorSize, network_sizes
from nas.records import is_count, is_number, is_object, is_text, read_object, read_rows, take
from nas.space import SearchSpace

_SHOWN = 3
"""How many missing measurements a message names."""


@dataclass(frozen=True)
class OperatorLatency:
    """The latency of an operator at a size."""

    operator: str
    channels: int
    stride: int
    height: int
    width: int
    median_ms: float


@dataclass(frozen=True)
class NetworkLatency:
    """A network of random cells: the sum of its operators, and itself as a whole."""

    genotype: str
    operators_ms: float
    network_ms: float


@dataclass(frozen=True)
class LatencyTable:
    """What `nas latency` writes: latencies at batch 1 in milliseconds, and where they come from."""

    image_shape: tuple[int, int, int]
    """(C, H, W)"""
    size: NetworkSize
    """Of the networks."""
    num_threads: int
    offset_ms: float
    operators: tuple[OperatorLatency, ...]
    fitted: tuple[NetworkLatency, ...]
    """The networks that the offset is the mean of."""
    checked: tuple[NetworkLatency, ...]
    """Other networks, which show the error."""
    date: str
    """When it was measured, ISO 8601."""
    environment: Mapping[str, Any]
    """Device and versions."""

    def to_json(self) -> str:
        """Return the content of the file."""
        return json.dumps(asdict(self) | {"size": self.size._asdict()}, indent=1) + "\n"

    def sum_of(self, genotype: Genotype, space: SearchSpace) -> float:
        """Return the sum over the operators of a network, without the offset."""
        return self._costs(space, 0.0).of(genotype)

    def costs(
        self, space: SearchSpace, image_shape: tuple[int, int, int], size: NetworkSize
    ) -> CostTable:
        """Return the latencies of the operators of a space, and the offset.

        Raises:
            ConfigError: The table is of other shapes or lacks operators; names what is missing.
        """
        if (self.image_shape, self.size) != (tuple(image_shape), size):
            raise ConfigError(
                f"latency_table: measured with {self.size} on images of shape {self.image_shape}, "
                f"but the target is about {size} and {tuple(image_shape)}; measure with "
                f"`nas latency --image_size {image_shape[1]}`"
            )
        sizes = network_sizes(image_shape, *size)
        names = [name for name in space.primitives if not get_operator(name).is_zero]
        known = self._by_size()
        missing = [(name, at) for at in sizes for name in names if (name, at) not in known]
        if missing:
            raise ConfigError(
                f"latency_table: lacks {_listed(missing)}; measure with `nas latency --space "
                f"{space.name} --image_size {image_shape[1]}`"
            )
        return self._costs(space, self.offset_ms)

    def _costs(self, space: SearchSpace, fixed: float) -> CostTable:
        known = self._by_size()

        def latency_of(name: str, at: OperatorSize) -> float:
            return known[name, at]

        return build_cost_table(space, self.image_shape, latency_of, self.size, fixed)

    def _by_size(self) -> dict[tuple[str, OperatorSize], float]:
        return {
            (one.operator, OperatorSize(one.channels, one.stride, one.height, one.width)): (
                one.median_ms
            )
            for one in self.operators
        }


def read_latency_table(path: Path) -> LatencyTable:
    """Read a file that `nas latency` wrote.

    Raises:
        ConfigError: It cannot be read or is damaged.
    """
    try:
        return _parse(read_object(path), str(path))
    except ReportError as cause:
        raise ConfigError(f"latency_table: {cause}") from cause


def _parse(document: Mapping[str, Any], where: str) -> LatencyTable:
    if "engine" in document:
        raise ConfigError(
            f"latency_table: {where}: is a table of a chain, but the target is about cells; "
            "measure with `nas latency --space` and a space of cells"
        )
    size = take(document, "size", where, is_object, "an object")
    return LatencyTable(
        image_shape=_image_shape(document, where),
        size=NetworkSize(
            *(
                take(size, key, f"{where}: size", is_count, "a whole number")
                for key in NetworkSize._fields
            )
        ),
        num_threads=take(document, "num_threads", where, is_count, "a whole number"),
        offset_ms=take(document, "offset_ms", where, is_number, "a number"),
        operators=read_rows(OperatorLatency, document, "operators", where),
        fitted=read_rows(NetworkLatency, document, "fitted", where),
        checked=read_rows(NetworkLatency, document, "checked", where),
        date=take(document, "date", where, is_text, "text"),
        environment=take(document, "environment", where, is_object, "an object"),
    )


def _image_shape(document: Mapping[str, Any], where: str) -> tuple[int, int, int]:
    channels, height, width = take(document, "image_shape", where, _is_shape, "three whole numbers")
    return channels, height, width


def _listed(missing: Iterable[tuple[str, OperatorSize]]) -> str:
    texts = [
        f"{name} at {at.channels} channels, {at.height} x {at.width}, stride {at.stride}"
        for name, at in missing
    ]
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(is_count, value))
