"""A network before and after quantisation: accuracy, size and latency."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from nas.data.from_config import Loader
from nas.deploy.metadata import Metadata
from nas.deploy.session import OnnxNetwork, open_session
from nas.deploy.timing import Latency, time_calls
from nas.records import Evaluation
from nas.runtime.evaluation import evaluate

_NUM_CALLS = 100


@dataclass(frozen=True)
class Measured:
    """One file."""

    evaluation: Evaluation
    size_bytes: int
    latency: Latency
    """At batch 1."""


def evaluate_file(path: Path, metadata: Metadata, test_loader: Loader) -> Evaluation:
    """Measure the accuracy of a file."""
    net = OnnxNetwork(open_session(path))
    return evaluate(net, test_loader, int(metadata.model["num_classes"]))


def time_files(paths: Sequence[Path], image_size: int, num_threads: int) -> list[Latency]:
    """Time files at batch 1; they take turns."""
    image = torch.zeros(1, 3, image_size, image_size)
    nets = {str(path): OnnxNetwork(open_session(path, num_threads)) for path in paths}
    calls = {name: lambda net=net: net(image) for name, net in nets.items()}
    found = time_calls(calls, _NUM_CALLS)
    return [found[str(path)] for path in paths]


def comparison_text(before: Measured, after: Measured, num_threads: int) -> str:
    """Return the figures of both, a line each."""
    drop = before.evaluation.top1 - after.evaluation.top1
    faster = before.latency.median_ms / after.latency.median_ms
    smaller = before.size_bytes / after.size_bytes
    lines = [
        f"{name}: top-1 {one.evaluation.top1:.2f} %, top-5 {one.evaluation.top5:.2f} % of "
        f"{one.evaluation.num_images} test images; {one.size_bytes / 1e6:.2f} MB; "
        f"{one.latency.median_ms:.2f} ms at batch 1 (p95 {one.latency.p95_ms:.2f}, "
        f"threads: {num_threads})"
        for name, one in (("fp32", before), ("int8", after))
    ]
    return "\n".join(
        [*lines, f"drop {drop:.2f} points, {smaller:.2f} times smaller, {faster:.2f} times faster"]
    )
