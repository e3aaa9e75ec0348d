"""Histograms of every activation of a network, a chunk of images at a time.

Only the activations of one chunk are in memory at once; the images are read twice, first for the
ranges, then for the histograms, so that no bin is ever split.
"""

import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from torch import Tensor

from nas.deploy.postprocess import PREFIX
from nas.deploy.session import INPUT, open_session
from nas.deploy.thresholds import NUM_BINS, Histogram
from nas.errors import DeployError

Chunks = Callable[[], Iterable[Tensor]]
"""What gives the same images, float (B, 3, S, S) a chunk, each time that it is called."""


def collect(model: onnx.ModelProto, chunks: Chunks) -> dict[str, Histogram]:
    """Run the images through a network and return the histogram of each float tensor by name.

    Raises:
        DeployError: There are no images, or an activation is not finite.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "observed.onnx"
        names = _observe(model, path)
        session = open_session(path)

        def activations() -> Iterator[tuple[str, Tensor]]:
            for images in chunks():
                yield INPUT, images
                # No name for the outputs, which would keep them while the next chunk is run.
                yield from zip(
                    names,
                    map(torch.from_numpy, session.run(names, {INPUT: images.numpy()})),
                    strict=True,
                )

        ranges = _ranges(activations())
        if not ranges:
            raise DeployError("calibration: there are no images; give a folder with some")
        counts = {name: np.zeros(2 * NUM_BINS, np.int64) for name in ranges}
        for name, values in activations():
            largest = max(-ranges[name][0], ranges[name][1])
            # histc counts in float32, which is exact up to 2 ** 24 values in one bin.
            for part in values.flatten().split(2**24):
                if largest:
                    bins = torch.histc(part, 2 * NUM_BINS, -largest, largest)
                    counts[name] += bins.numpy().astype(np.int64)
    return {name: Histogram(*ranges[name], counts[name]) for name in ranges}


def peak_memory_gib() -> float:
    """Return the most memory that this process has held so far, GiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def _observe(model: onnx.ModelProto, path: Path) -> list[str]:
    """Write a copy that returns every float tensor of the network; returns their names."""
    inferred = onnx.shape_inference.infer_shapes(model)
    floats = {
        value.name: value
        for value in (*inferred.graph.value_info, *inferred.graph.output)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }
    constants = {tensor.name for tensor in model.graph.initializer}
    names = [name for name in floats if name not in constants and not name.startswith(PREFIX)]
    del inferred.graph.output[:]
    inferred.graph.output.extend(floats[name] for name in names)
    onnx.save(inferred, path)
    return names


def _ranges(activations: Iterator[tuple[str, Tensor]]) -> dict[str, tuple[float, float]]:
    ranges: dict[str, tuple[float, float]] = {}
    for name, values in activations:
        low, high = (bound.item() for bound in values.aminmax())
        if not np.isfinite([low, high]).all():
            raise DeployError(
                f"calibration: the tensor {name} is not finite; the weights are damaged, or the "
                "images are"
            )
        before = ranges.get(name, (low, high))
        ranges[name] = (min(before[0], low), max(before[1], high))
    return ranges
