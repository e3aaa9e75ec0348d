"""What a benchmark times: one network in each of the engines that can run it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from nas.deploy.calibrate import collect
from nas.deploy.export import export
from nas.deploy.images import sample_images
from nas.deploy.metadata import Metadata
from nas.deploy.prepare import prepare
from nas.deploy.quantize import Quantization, choose_ranges, read_float_model, write_quantized
from nas.deploy.session import OnnxNetwork, open_session, read_metadata
from nas.deploy.source import read_source

ENGINES = ("eager", "compiled", "onnx_fp32", "onnx_int8")
"""PyTorch eager; PyTorch compiled (torch.compile); ONNX Runtime in fp32 and in int8."""
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
    net: Callable[[Tensor], Tensor]


def build_candidates(
    text: str, engines: tuple[str, ...], image_size: int | None, num_threads: int, folder: Path
) -> list[Candidate]:
    """Build one network in each engine.

    Args:
        text: What `read_source` reads, or an .onnx file, which is timed as it is.
        engines: Some of `ENGINES`.
        image_size: Pixels, for a network by name.
        num_threads: Of ONNX Runtime.
        folder: For the files that are made.

    Raises:
        DeployError: The network cannot be exported or run.
    """
    if text.endswith(".onnx"):
        path = Path(text)
        session = open_session(path, num_threads)
        metadata = read_metadata(session, path)
        size = path.stat().st_size
        return [Candidate(text, "onnx", size, metadata.image_size, OnnxNetwork(session))]
    source = read_source(text, image_size)
    size = source.metadata.image_size
    net = source.net.eval()
    found = []
    if "eager" in engines:
        eager = _channels_last(prepare(net))
        found.append(Candidate(text, "eager", None, size, eager))
    if "compiled" in engines:
        compiled = torch.compile(_channels_last(prepare(net)))
        found.append(Candidate(text, "compiled", None, size, compiled))
    for engine, path in _write_files(net, source.metadata, engines, folder).items():
        network = OnnxNetwork(open_session(path, num_threads))
        found.append(Candidate(text, engine, path.stat().st_size, size, network))
    return found


def _channels_last(net: nn.Module) -> nn.Module:
    return net.to(memory_format=torch.channels_last)


def _write_files(
    net: nn.Module, metadata: Metadata, engines: tuple[str, ...], folder: Path
) -> dict[str, Path]:
    """Write the ONNX files of the engines that are asked for."""
    if not {"onnx_fp32", "onnx_int8"} & set(engines):
        return {}
    number = len(list(folder.iterdir()))
    paths = {name: folder / f"{number}-{name}.onnx" for name in ENGINES if name in engines}
    images = sample_images(metadata, _NUM_CALIBRATION)
    plain = folder / f"{number}-onnx_fp32.onnx"
    export(net, metadata, images[:4], plain)
    if "onnx_int8" in engines:
        quantization = Quantization(calibration="minmax")
        model = read_float_model(plain)
        ranges = choose_ranges(collect(model, lambda: images.split(4)), quantization)
        write_quantized(model, ranges, quantization, paths["onnx_int8"])
    return {name: path for name, path in paths.items() if name.startswith("onnx")}
