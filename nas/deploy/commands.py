"""Export, quantize and benchmark, from their settings to a result that a program can print."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from nas.deploy.benchmark import markdown, run_benchmark, write_results
from nas.deploy.calibrate import collect, peak_memory_gib
from nas.deploy.export import Exported, export
from nas.deploy.images import batches_of, labeled_images, sample_images
from nas.deploy.latency import Latency, Row, time_calls
from nas.deploy.options import (
    CALIBRATIONS,
    DEFAULT_OPSET,
    DEFAULT_PERCENTILE,
    BenchmarkSettings,
    ExportSettings,
    QuantizeSettings,
)
from nas.deploy.quality import Quality, brief, evaluate_file, in_full, percent, rank
from nas.deploy.quantize import Quantization, choose_ranges, read_float_model, write_quantized
from nas.deploy.session import OnnxNetwork, open_session, read_metadata
from nas.deploy.source import check_plugins, read_source
from nas.errors import ConfigError

_log = logging.getLogger(__name__)
_CHECK_IMAGES = 8
_NUM_CALLS = 100
"""Timed calls of each of the two files that a quantization compares."""
_LARGE_DROP = 5
"""Points of top-1 or mAP; a quantization that loses more is worth a warning."""


@dataclass(frozen=True)
class ExportResult:
    """An exported file and how close it is to PyTorch."""

    exported: Exported
    size_bytes: int
    image_shape: tuple[int, ...]
    """(C, H, W)"""
    outputs: tuple[str, ...]
    """The names of what the file returns."""
    images: str
    """What it was compared on."""

    def text(self) -> str:
        """Return the line that a program prints."""
        shape = ", ".join(map(str, self.image_shape))
        exported = self.exported
        line = (
            f"{exported.path}: {self.size_bytes / 1e6:.1f} MB, input (N, {shape}), output "
            f"{', '.join(self.outputs)}; largest logit difference from PyTorch "
            f"{exported.max_difference:.1e} on {self.images} (largest logit "
            f"{exported.max_logit:.3g})"
        )
        if exported.num_detections is None:
            return line
        same = exported.num_detections - exported.num_different
        return f"{line}; {same} of {exported.num_detections} detections equal PyTorch's"


@dataclass(frozen=True)
class Measured:
    """One file: its accuracy, its size and its latency at batch 1."""

    path: Path
    evaluation: Quality
    size_bytes: int
    latency: Latency


@dataclass(frozen=True)
class QuantizeResult:
    """A network before and after its quantization."""

    before: Measured
    after: Measured
    quantization: Quantization
    tried: Mapping[str, Quality]
    """What each rule reached on the calibration images, where the best was chosen; else empty."""
    num_threads: int

    @property
    def drop(self) -> float:
        """Points of top-1 or mAP that the quantization loses on the test images."""
        return percent(self.before.evaluation) - percent(self.after.evaluation)

    def text(self) -> str:
        """Return the lines that a program prints."""
        lines = []
        for name, one in self.tried.items():
            kept = ", kept" if name == self.quantization.calibration else ""
            lines.append(f"{name}: {brief(one)} on {one.num_images} calibration images{kept}")
        for name, file in (("fp32", self.before), ("int8", self.after)):
            test, latency = file.evaluation, file.latency
            lines.append(
                f"{name}: {in_full(test)} of {test.num_images} test images; "
                f"{file.size_bytes / 1e6:.2f} MB; {latency.median_ms:.2f} ms at batch 1 "
                f"(p95 {latency.p95_ms:.2f}, threads: {self.num_threads})"
            )
        smaller = self.before.size_bytes / self.after.size_bytes
        faster = self.before.latency.median_ms / self.after.latency.median_ms
        lines.append(
            f"drop {self.drop:.2f} points, {smaller:.2f} times smaller, {faster:.2f} times faster"
        )
        return "\n".join([*lines, str(self.after.path)])


@dataclass(frozen=True)
class BenchmarkResult:
    """The table of a benchmark, and the files that were written."""

    rows: list[Row]
    table: str
    """Markdown."""
    paths: list[Path]

    def text(self) -> str:
        """Return the lines that a program prints."""
        return "\n".join([self.table.rstrip("\n"), *map(str, self.paths)])


def export_network(settings: ExportSettings) -> ExportResult:
    """Write a network as a file.

    Raises:
        CheckpointError: The checkpoint cannot be used.
        ConfigError: The network is unknown, or a setting has no effect on it.
        DataError: The images cannot be read.
        DeployError: The network cannot be exported, or the file differs from PyTorch.
    """
    source = read_source(settings.model, settings.image_size, settings.plugins)
    check_plugins([source], settings.plugins)
    if settings.raw and not source.metadata.is_detector:
        raise ConfigError(
            f"raw: has an effect only on a detector, found {source.name}; leave it out"
        )
    metadata = source.metadata.raw() if settings.raw else source.metadata
    images = sample_images(source.metadata, _CHECK_IMAGES, settings.data)
    opset = settings.opset or DEFAULT_OPSET
    exported = export(source.net, metadata, images, Path(settings.out), opset)
    kind = f"test images of {settings.data}" if settings.data else "drawn images"
    size_bytes = exported.path.stat().st_size
    checked = f"{len(images)} {kind}"
    return ExportResult(exported, size_bytes, tuple(images.shape[1:]), metadata.outputs, checked)


def quantize_network(settings: QuantizeSettings) -> QuantizeResult:
    """Convert an exported network to 8 bits, and measure it before and after.

    Raises:
        ConfigError: A folder of images is missing or has no effect.
        DataError: The images cannot be read, or are of other classes.
        DeployError: The model cannot be quantized.
    """
    path, out = Path(settings.model), settings.target
    model = read_float_model(path)
    metadata = read_metadata(open_session(path), path)
    images = labeled_images(
        metadata,
        settings.data,
        batch_size=settings.chunk,
        max_images=settings.calibration_images,
        seed=settings.seed,
    )
    chosen = images.train()
    # Reads every test image, so that a damaged one is found before the file is written.
    before = evaluate_file(path, metadata, images.test())
    histograms = collect(model, lambda: batches_of(chosen))
    _log.info(
        "calibrated on %d training images, %d at a time; peak memory so far %.2f GiB",
        *(settings.calibration_images, settings.chunk, peak_memory_gib()),
    )
    rules = CALIBRATIONS if settings.calibration == "best" else (settings.calibration,)
    candidates = {
        rule: Quantization(
            calibration=rule,
            per_channel=settings.weights == "per_channel",
            activations=settings.activations,
            percentile=settings.percentile or DEFAULT_PERCENTILE,
        )
        for rule in rules
    }
    tried: dict[str, Quality] = {}
    with TemporaryDirectory() as folder:
        for rule, candidate in candidates.items() if len(candidates) > 1 else ():
            file = Path(folder) / f"{rule}.onnx"
            write_quantized(model, choose_ranges(histograms, candidate), candidate, file)
            tried[rule] = evaluate_file(file, metadata, chosen)
    best = candidates[max(rules, key=lambda rule: rank(tried.get(rule)))]
    write_quantized(model, choose_ranges(histograms, best), best, out)
    after = evaluate_file(out, metadata, images.test())
    latencies = _time_files((path, out), metadata.image_size, settings.threads)
    sizes = [file.stat().st_size for file in (path, out)]
    result = QuantizeResult(
        before=Measured(path, before, sizes[0], latencies[0]),
        after=Measured(out, after, sizes[1], latencies[1]),
        quantization=best,
        tried=tried,
        num_threads=settings.threads,
    )
    if result.drop > _LARGE_DROP:
        advice = "try `calibration` best, which compares all three"
        if tried:
            advice = "more `calibration_images`, or per_channel `weights`, may lose less"
        _log.warning(
            "%.1f points are lost with the calibration %s; %s",
            result.drop,
            best.calibration,
            advice,
        )
    return result


def benchmark_networks(settings: BenchmarkSettings) -> BenchmarkResult:
    """Time networks, and write the results where a folder is named.

    Raises:
        CheckpointError: A checkpoint cannot be used.
        ConfigError: A network is unknown, or a setting has no effect on any.
        DeployError: A network cannot be built, exported or run.
        ReportError: The results cannot be written.
    """
    rows = run_benchmark(settings)
    paths = [] if settings.out is None else write_results(settings, rows, Path(settings.out))
    return BenchmarkResult(rows, markdown(settings, rows), paths)


def _time_files(paths: tuple[Path, ...], image_size: int, num_threads: int) -> list[Latency]:
    image = torch.zeros(1, 3, image_size, image_size)
    nets = {str(path): OnnxNetwork(open_session(path, num_threads)) for path in paths}
    calls = {name: lambda net=net: net(image) for name, net in nets.items()}
    latencies = time_calls(calls, _NUM_CALLS)
    return [latencies[str(path)] for path in paths]
