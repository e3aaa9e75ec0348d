"""What a benchmark times: one network in each of the engines that can run it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.deploy.calibrate import collect
from nas.deploy.export import export
from nas.deploy.images import sample_images
from nas.deploy.options import Engine
from nas.deploy.prepare import prepare
from nas.deploy.quantize import Quantization, choose_ranges, read_float_model, write_quantized
from nas.deploy.session import OnnxNetwork, open_session, read_metadata
from nas.deploy.source import Source
from nas.errors import DeployError

_NUM_CALIBRATION = 16
"""Embedded images; what they are moves the ranges, not the latency."""


@dataclass(frozen=True)
class Candidate:
    """One network in one engine."""

    model: str
    """As the user wrote it."""
    engine: str
    """One of `ENGINES`; "onnx" for a file that is timed as it is."""
    size_bytes: int | None
    """Of the file; None in PyTorch."""
    image_size: int
    """Height and width, pixels."""
    net: Callable[[Tensor], Any]


def build_candidates(
    source: Source | Path,
    engines: tuple[Engine, ...],
    num_threads: int,
    stem: Path,
    images: Tensor | None = None,
) -> list[Candidate]:
    """Build one network in each engine.

    Args:
        source: The network, or an .onnx file, which is timed as it is.
        engines: Some of `ENGINES`.
        num_threads: Of ONNX Runtime; PyTorch has those of the process.
        stem: Where the files are made, `stem`-ENGINE.onnx; those that are there are used again.
        images: (N, C, S, S) to check the export and to calibrate with, N of at least 4; None takes
            embedded ones.

    Raises:
        DeployError: The network cannot be exported or run.
    """
    if isinstance(source, Path):
        session = open_session(source, num_threads)
        image_size = read_metadata(session, source).image_size
        size = source.stat().st_size
        return [Candidate(str(source), "onnx", size, image_size, OnnxNetwork(session))]
    candidates = []
    for engine in engines:
        net: Callable[[Tensor], Any] = _in_torch(source.net)
        file_size: int | None = None
        if engine == "compiled":
            net = torch.compile(net, fullgraph=True)  # or an error: never eager under this name
        elif engine != "eager":
            path = _write(engine, source, stem, images)
            net, file_size = OnnxNetwork(open_session(path, num_threads)), path.stat().st_size
        candidates.append(
            Candidate(source.name, engine, file_size, source.metadata.image_size, net)
        )
    return candidates


def _in_torch(net: nn.Module) -> nn.Module:
    return prepare(net, for_export=False).to(memory_format=torch.channels_last)


def timed_call(candidate: Candidate, images: Tensor) -> Callable[[], None]:
    """Return a call that runs a candidate on images; it has run once.

    torch.compile works only in the first run, and may find that it cannot.

    Args:
        candidate: What is to be timed.
        images: (N, C, S, S).

    Raises:
        DeployError: The engine cannot run it.
    """
    if not candidate.engine.startswith("onnx"):
        images = images.contiguous(memory_format=torch.channels_last)

    def call() -> None:
        with torch.inference_mode():
            candidate.net(images)

    try:
        call()
    except Exception as cause:
        raise DeployError(
            f"{candidate.model}: cannot be run by the engine {candidate.engine}: "
            f"{' '.join(str(cause).split())[:200]}; leave it out of `engines`"
        ) from cause
    return call


def _write(engine: str, source: Source, stem: Path, images: Tensor | None) -> Path:
    """Write the ONNX file of an engine where it is not there yet."""
    path = stem.with_name(f"{stem.name}-{engine}.onnx")
    if path.exists():
        return path
    if images is None:
        images = sample_images(source.metadata, _NUM_CALIBRATION)
    if engine == "onnx_fp32":
        export(source.net, source.metadata.raw(), images[:4], path)
    else:
        quantization = Quantization(calibration="minmax")
        model = read_float_model(_write("onnx_fp32", source, stem, images))
        ranges = choose_ranges(collect(model, lambda: images.split(4)), quantization)
        write_quantized(model, ranges, quantization, path)
    return path
