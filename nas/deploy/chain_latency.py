"""Measure the latency table of a chain: every layer between two ends, and ten whole networks."""

import logging
import os
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from nas.deploy.benchmark import engine_environment
from nas.deploy.candidates import build_candidates, timed_call
from nas.deploy.chain_probes import (
    Shape,
    build_probe,
    input_of,
    latency_of,
    name_of,
    probes_of,
)
from nas.deploy.latency import CALLS_A_TURN
from nas.deploy.metadata import NO_DATASET, Metadata
from nas.deploy.options import Engine, LatencySettings
from nas.deploy.rounds import Rounds
from nas.deploy.source import Source
from nas.errors import ConfigError
from nas.genotype import random_chain
from nas.models.chain import ChainNetwork
from nas.models.chain_latency import (
    ChainLatency,
    CheckedNetwork,
    Measured,
    chain_costs,
    error_lines,
)
from nas.space import ChainSpace
from nas.space.chain_files import chain_document
from nas.space.chain_layers import HEAD, STEM, layers_of_chain

_log = logging.getLogger(__name__)
_ENGINE: Engine = "onnx_fp32"
_NUM_CLASSES, _NUM_NETWORKS, _NUM_CALLS = 1000, 10, 300
_IN_CHANNELS = 3
_UNDISTURBED = 10
"""The percentile over the rounds that counts: what else a machine does only adds time."""
_BUSY = 0.1
_OF_THE_MACHINE = ("cpu", "torch", "onnxruntime", "commit")
"""What must be the same when a measurement goes on."""
_NUM_IMAGES = 16
"""For the check of an export, the ranges of 8 bits and the statistics of BatchNorms."""


def measure_chain(settings: LatencySettings, space: ChainSpace) -> tuple[ChainLatency, Rounds]:
    """Measure; the number of threads of torch is restored.

    Returns:
        The table, and the folder of the measurement, to be removed once the table is written.

    Raises:
        ConfigError: A setting is for cells, or does not fit the space.
        DeployError: A layer cannot be exported or run.
        Stopped: A signal asked to stop; the same settings go on.
    """
    space = _sized(settings, space)
    _log.info("space %s: %s", space.name, space.describe())
    engine = settings.engine or _ENGINE
    num_classes = settings.num_classes or _NUM_CLASSES
    layers = layers_of_chain(space, num_classes, _IN_CHANNELS)
    chains = [random_chain(space, seed) for seed in range(settings.networks or _NUM_NETWORKS)]
    environment = engine_environment()
    path = Path(settings.out)
    what = {"space": chain_document(space), "num_classes": num_classes, "engine": engine}
    what |= {"threads": settings.threads, "networks": len(chains)}
    what |= {key: environment[key] for key in _OF_THE_MACHINE}
    rounds = Rounds(path.with_name(f"{path.name}.partial"), what)

    def builder(
        name: str, build: Callable[[], nn.Module], shape: Shape
    ) -> Callable[[], Callable[[], None]]:
        return partial(_build, build, shape, engine, settings.threads, rounds.folder / name)

    probes = {name_of(probe): probe for probe in probes_of(layers)}
    builders = {
        name: builder(name, partial(build_probe, probe), input_of(probe))
        for name, probe in probes.items()
    }
    # Stem and head have the cost of the call, and a network is called back to back.
    outer = tuple(layer for layer in layers if layer.block.kind in (STEM, HEAD))
    back_to_back = {f"{name_of(probe)}_alone": probe for probe in probes_of(outer)}
    builders |= {
        name: builder(name_of(probe), partial(build_probe, probe), input_of(probe))
        for name, probe in back_to_back.items()
    }
    image = Shape(_IN_CHANNELS, space.image_size)
    networks = {f"random_{seed}": chain for seed, chain in enumerate(chains)}
    for name, chain in networks.items():
        net = partial(ChainNetwork, chain, _IN_CHANNELS, num_classes)
        builders[name] = builder(name, net, image)
    # As in a network, where all other layers run between two calls of one, and use the caches.
    between = dict.fromkeys(probes, next(iter(networks)))
    # One thread works in the calling thread, whose own time leaves out that of other programs.
    clock = time.thread_time if settings.threads == 1 else time.perf_counter
    before = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        # All probes share one function; each gets a separate compiled form, for its own shape.
        with torch._dynamo.config.patch(
            recompile_limit=4 * len(builders), automatic_dynamic_shapes=False
        ):
            times = rounds.run(builders, settings.calls or _NUM_CALLS, between, clock)
    finally:
        torch.set_num_threads(before)
    environment |= {
        "num_threads": settings.threads,
        "clock": clock.__name__,
        "load_average_1min": round(os.getloadavg()[0], 2),
    }
    fast, median = (
        {name: float(np.percentile(rounds_ms, percent)) for name, rounds_ms in times.items()}
        for percent in (_UNDISTURBED, 50)
    )
    _warn_if_busy([median[name] / fast[name] - 1 for name in networks])
    of_layers = [
        {
            layer: latency_of(
                layer,
                {
                    probe: by_name[name]
                    for name, probe in (back_to_back if layer in outer else probes).items()
                },
            )
            for layer in layers
        }
        for by_name in (fast, median)
    ]
    costs = chain_costs(of_layers[0], space, num_classes, _IN_CHANNELS)
    checked = tuple(
        CheckedNetwork(chain.stages, fast[name], costs.of(chain.stages))
        for name, chain in networks.items()
    )
    table = ChainLatency(
        space=space,
        num_classes=num_classes,
        in_channels=_IN_CHANNELS,
        engine=engine,
        num_threads=settings.threads,
        num_calls=CALLS_A_TURN * len(times[next(iter(networks))]),
        layers={layer: Measured(layer.size, *(of[layer] for of in of_layers)) for layer in layers},
        checked=checked,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=environment,
    )
    return table, rounds


def chain_text(table: ChainLatency) -> str:
    """Return, as Markdown, how far the sums are from whole networks, and what was measured."""
    median, largest = table.errors
    low, high = table.costs(
        table.space, table.space.image_size, table.num_classes, table.in_channels
    ).bounds()
    environment = table.environment
    lines = [
        *error_lines(table.checked),
        "",
        f"Error of the sum over {len(table.checked)} random networks: median {median:.1%}, largest "
        f"{largest:.1%}. Networks of {table.space.name} at width {table.space.width_mult:g} take "
        f"{low:.3g} to {high:.3g} ms by the table.",
        f"{len(table.layers)} layers, engine {table.engine}, images of {table.space.image_size} x "
        f"{table.space.image_size}, {table.num_classes} classes, batch 1, threads: "
        f"{table.num_threads}, {table.num_calls} calls. {environment['cpu']}, torch "
        f"{environment['torch']}, ONNX Runtime {environment['onnxruntime']}, {table.date}; "
        f"load average {environment['load_average_1min']} on {environment['num_cpus']} cores.",
    ]
    return "\n".join(lines)


def _sized(settings: LatencySettings, space: ChainSpace) -> ChainSpace:
    if settings.plugins:
        raise ConfigError(
            f"plugins: have an effect only on cells, and {space.name} is a chain; leave it out"
        )
    if settings.width_mult is not None:
        space = space.at_width(settings.width_mult)
    if settings.image_size is not None:
        space = space.at_size(settings.image_size)
    if space.image_size < space.reduction:
        raise ConfigError(
            f"image_size: images of {space.image_size} x {space.image_size} are too small: "
            f"networks of space {space.name!r} divide them by {space.reduction}; use "
            f"{space.reduction} or more"
        )
    return space


def _build(
    build: Callable[[], nn.Module], shape: Shape, engine: Engine, num_threads: int, stem: Path
) -> Callable[[], None]:
    channels, size = shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = build()
        images = torch.randn(_NUM_IMAGES, channels, size, size)
        # Without its own statistics a deep network lets its activations fade to denormals, which
        # are slow.
        update_bn([images], net)
    metadata = Metadata(
        {"model": "layers of a chain"},
        "random",
        None,
        NO_DATASET,
        size,
        [0.0] * channels,
        [1.0] * channels,
    )
    source = Source(stem.name, net.eval(), metadata, None)
    (candidate,) = build_candidates(source, (engine,), num_threads, stem, images)
    return timed_call(candidate, images[:1].contiguous())


def _warn_if_busy(longer: Sequence[float]) -> None:
    """Say where half of the rounds were disturbed by more than a little."""
    if statistics.median(longer) > _BUSY:
        _log.warning(
            "the machine does other work: half of the rounds took %.0f %% longer than the fast "
            "ones, which count; measure again on a machine that does nothing else",
            100 * statistics.median(longer),
        )
