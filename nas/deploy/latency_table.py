"""Measure a latency table: every operator of a space alone, and a few whole networks.

All of it as it is deployed: eval mode, BatchNorms folded, channels_last, batch 1, a fixed number of
threads. What is measured takes turns, and the median counts.
"""

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import torch
from torch import Tensor, nn

from nas.config.network_size import CIFAR_SIZE, NetworkSize
from nas.deploy.latency import time_calls
from nas.deploy.options import LatencySettings
from nas.deploy.prepare import prepare
from nas.errors import ConfigError
from nas.genotype import Genotype
from nas.models import GenotypeNetwork, random_genotype
from nas.models.latency_table import LatencyTable, NetworkLatency, OperatorLatency
from nas.operators import build_operator, get_operator, resolve
from nas.operators.contract import network_sizes
from nas.runtime.environment import describe_environment
from nas.space import SearchSpace, load_cells

_NUM_CLASSES = 10
"""Of the networks: the classifier is a small part of the offset."""
_IMAGE_SIZE, _NUM_NETWORKS, _NUM_CALLS = 32, 4, 50


def measure_latency_table(
    settings: LatencySettings, size: NetworkSize = CIFAR_SIZE
) -> LatencyTable:
    """Measure; the number of threads of torch is restored.

    Args:
        settings: What to measure.
        size: Of the networks.

    Raises:
        ConfigError: The space is of a family that has no targets, or a setting is for chains.
    """
    space = load_cells(settings.space)
    for name in ("width_mult", "num_classes", "engine"):
        if (value := getattr(settings, name)) is not None:
            raise ConfigError(
                f"{name}: found {value}, but {space.name} is a space of cells, and it has an "
                "effect only on a chain; leave it out"
            )
    if space.kind.edges_per_node is None:
        raise ConfigError(
            f"space: {space.name} is of the family {space.family}; a table is for targets, which "
            "need cells that keep two edges to every node, as in darts"
        )
    resolve(space, settings.plugins)
    num_calls = settings.calls or _NUM_CALLS
    image_size = settings.image_size or _IMAGE_SIZE
    image_shape = (3, image_size, image_size)
    before = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        operators = _measure_operators(space, image_shape, size, num_calls)
        genotypes = [
            random_genotype(space, seed) for seed in range(2 * (settings.networks or _NUM_NETWORKS))
        ]
        times_ms = _measure_networks(genotypes, image_shape, size, num_calls)
        environment = describe_environment(torch.device("cpu"))
        environment["load_average_1min"] = round(os.getloadavg()[0], 2)
    finally:
        torch.set_num_threads(before)
    table = LatencyTable(
        image_shape=image_shape,
        size=size,
        num_threads=settings.threads,
        offset_ms=0.0,
        operators=operators,
        fitted=(),
        checked=(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=environment,
    )
    return with_offset(table, space, genotypes, times_ms)


def with_offset(
    table: LatencyTable,
    space: SearchSpace,
    genotypes: Sequence[Genotype],
    times_ms: Sequence[float],
) -> LatencyTable:
    """Fit the offset to the first half of some networks; the other half shows the error."""
    networks = tuple(
        NetworkLatency(genotype.to_text(), table.sum_of(genotype, space), time_ms)
        for genotype, time_ms in zip(genotypes, times_ms, strict=True)
    )
    fitted, checked = networks[: len(networks) // 2], networks[len(networks) // 2 :]
    offset_ms = statistics.mean(one.network_ms - one.operators_ms for one in fitted)
    return replace(table, offset_ms=offset_ms, fitted=fitted, checked=checked)


def error_table(table: LatencyTable) -> str:
    """Return, as Markdown, how far the sum is from networks that the offset was not fitted to."""
    lines = [
        "| network | measured (ms) | sum of operators (ms) | error | with offset (ms) | error |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    errors = []
    for index, one in enumerate(table.checked, start=len(table.fitted)):
        with_offset_ms = one.operators_ms + table.offset_ms
        both = [value / one.network_ms - 1 for value in (one.operators_ms, with_offset_ms)]
        errors.append(abs(both[1]))
        lines.append(
            f"| random cells, seed {index} | {one.network_ms:.2f} | {one.operators_ms:.2f} | "
            f"{both[0]:+.1%} | {with_offset_ms:.2f} | {both[1]:+.1%} |"
        )
    lines += [
        "",
        f"Offset {table.offset_ms:.2f} ms, the mean over {len(table.fitted)} other networks; mean "
        f"error {statistics.mean(errors):.1%}. {table.size}, images {table.image_shape}, batch 1, "
        f"threads: {table.num_threads}. {table.environment['cpu']}, torch "
        f"{table.environment['torch']}, {table.date}; load average "
        f"{table.environment['load_average_1min']} on {table.environment['num_cpus']} cores.",
    ]
    return "\n".join(lines)


def _measure_operators(
    space: SearchSpace, image_shape: tuple[int, int, int], size: NetworkSize, num_calls: int
) -> tuple[OperatorLatency, ...]:
    keys = [
        (name, at)
        for at in network_sizes(image_shape, *size)
        for name in space.primitives
        if not get_operator(name).is_zero
    ]
    calls = {}
    for index, (name, at) in enumerate(keys):
        # In a sequence: what is folded is a BatchNorm after a convolution in one.
        operator = nn.Sequential(build_operator(name, at.channels, at.stride, affine=True))
        calls[str(index)] = _call(operator, torch.randn(1, at.channels, at.height, at.width))
    times = time_calls(calls, num_calls)
    return tuple(
        OperatorLatency(
            name, at.channels, at.stride, at.height, at.width, times[str(index)].median_ms
        )
        for index, (name, at) in enumerate(keys)
    )


def _measure_networks(
    genotypes: Sequence[Genotype],
    image_shape: tuple[int, int, int],
    size: NetworkSize,
    num_calls: int,
) -> list[float]:
    calls = {}
    for index, genotype in enumerate(genotypes):
        net = GenotypeNetwork(
            genotype,
            num_classes=_NUM_CLASSES,
            init_channels=size.init_channels,
            num_cells=size.num_cells,
            auxiliary=False,
        )
        calls[str(index)] = _call(net, torch.randn(1, *image_shape))
    times = time_calls(calls, num_calls)
    return [times[str(index)].median_ms for index in range(len(genotypes))]


def _call(net: nn.Module, images: Tensor) -> Callable[[], None]:
    deployed = prepare(net, for_export=False).to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)

    def call() -> None:
        with torch.inference_mode():
            deployed(images)

    return call
