"""Latency and throughput of several networks in several engines, all in one run."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import onnxruntime
import torch

from nas.deploy.candidates import Candidate, build_candidates, timed_call
from nas.deploy.latency import Latency, Row, latency_chart, time_calls
from nas.deploy.options import BenchmarkSettings, is_onnx_file
from nas.deploy.source import Source, check_plugins, is_checkpoint, read_source
from nas.errors import ConfigError
from nas.files import write_files
from nas.png import png_bytes
from nas.runtime.environment import describe_environment


def run_benchmark(settings: BenchmarkSettings) -> list[Row]:
    """Time everything; the candidates of all networks take turns.

    Raises:
        ConfigError: A network is unknown, or a setting has no effect on any.
        DeployError: A network cannot be built, exported or run.
    """
    sources = _sources(settings)
    before = torch.get_num_threads()
    try:
        # All networks of a kind share one function; each gets a separate compiled form.
        limit = torch._dynamo.config.patch(recompile_limit=4 * len(settings.models))
        with TemporaryDirectory() as folder, limit:
            return [
                row
                for num_threads in dict.fromkeys(settings.threads)
                for row in _rows(settings, sources, num_threads, Path(folder))
            ]
    finally:
        torch.set_num_threads(before)


def _sources(settings: BenchmarkSettings) -> list[Source | Path]:
    networks = [model for model in settings.models if not is_onnx_file(model)]
    if settings.image_size is not None and all(map(is_checkpoint, networks)):
        raise ConfigError(
            "image_size: has an effect only on a network by name; files and checkpoints have "
            "their own; leave it out"
        )
    sources = [
        Path(model)
        if is_onnx_file(model)
        else read_source(
            model, None if is_checkpoint(model) else settings.image_size, settings.plugins
        )
        for model in settings.models
    ]
    check_plugins([source for source in sources if isinstance(source, Source)], settings.plugins)
    return sources


def _rows(
    settings: BenchmarkSettings, sources: Sequence[Source | Path], num_threads: int, folder: Path
) -> list[Row]:
    torch.set_num_threads(num_threads)
    torch.compiler.reset()  # what was compiled for another number of threads
    candidates = [
        candidate
        for index, source in enumerate(sources)
        for candidate in build_candidates(
            source, settings.engines, num_threads, folder / str(index)
        )
    ]
    single = _time(candidates, 1, settings.calls)
    batched = _time(candidates, settings.batch_size, max(5, settings.calls // 20))
    return [
        Row(
            candidate.model,
            candidate.engine,
            num_threads,
            candidate.image_size,
            one,
            1e3 * settings.batch_size / many.median_ms,
            candidate.size_bytes,
        )
        for candidate, one, many in zip(candidates, single, batched, strict=True)
    ]


def markdown(settings: BenchmarkSettings, rows: Sequence[Row]) -> str:
    """Return the table, and what it was measured on."""
    environment = engine_environment()
    columns = ["network", "engine", "threads", "image", "median (ms)", "p95 (ms)", "min (ms)"]
    columns += [f"images/s at batch {settings.batch_size}", "file (MB)"]
    lines = [f"| {' | '.join(columns)} |", "|---|---" + "|---:" * (len(columns) - 2) + "|"]
    for row in rows:
        one = row.latency
        cells = [f"`{row.model}`", row.engine, f"{row.num_threads}", f"{row.image_size}"]
        cells += [f"{value:.2f}" for value in (one.median_ms, one.p95_ms, one.min_ms)]
        cells.append(f"{row.images_per_s:.0f}")
        cells.append("" if row.size_bytes is None else f"{row.size_bytes / 1e6:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        f"Latency at batch 1 over {rows[0].latency.num_calls} calls; the candidates take turns. "
        "All engines have the network as it is deployed, with folded BatchNorms.",
        f"{environment['cpu']}, {environment['num_cpus']} cores, torch {environment['torch']}, "
        f"ONNX Runtime {environment['onnxruntime']}, onnx {environment['onnx']}.",
    ]
    return "\n".join(lines) + "\n"


def write_results(settings: BenchmarkSettings, rows: Sequence[Row], out: Path) -> list[Path]:
    """Write latency.json, latency.md and latency.png into a folder; returns their paths."""
    document = {
        "settings": dataclasses.asdict(settings),
        "rows": [dataclasses.asdict(row) for row in rows],
        "environment": engine_environment(),
    }
    chart = latency_chart(rows)
    return write_files(
        {
            out / "latency.json": (json.dumps(document, indent=1) + "\n").encode(),
            out / "latency.md": markdown(settings, rows).encode(),
            out / "latency.png": png_bytes(chart),
        }
    )


def _time(candidates: Sequence[Candidate], batch_size: int, num_calls: int) -> list[Latency]:
    calls = {}
    for index, candidate in enumerate(candidates):
        size = candidate.image_size
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(batch_size, 3, size, size, generator=generator)
        calls[str(index)] = timed_call(candidate, images)
    latencies = time_calls(calls, num_calls)
    return [latencies[str(index)] for index in range(len(candidates))]


def engine_environment() -> dict[str, Any]:
    """Return device and versions, those of ONNX Runtime too."""
    environment: dict[str, Any] = describe_environment(torch.device("cpu"))
    return environment | {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}
