"""The three commands of `python -m nas.deploy`, from parsed arguments to what they print."""

from argparse import Namespace
from pathlib import Path

from nas.deploy.benchmark import Settings, is_file, markdown, run_benchmark, write_results
from nas.deploy.calibrate import collect, peak_memory_gib
from nas.deploy.candidates import ENGINES
from nas.deploy.compare import Measured, comparison_text, evaluate_file, time_files
from nas.deploy.export import DEFAULT_OPSET, check_target
from nas.deploy.export import export as write_export
from nas.deploy.images import LabelledImages, batches_of, sample_images
from nas.deploy.quantize import Quantization, choose_ranges, read_float_model, write_quantized
from nas.deploy.session import open_session, read_metadata
from nas.deploy.source import check_plugins, is_checkpoint, read_source
from nas.deploy.thresholds import RULES
from nas.errors import ConfigError, close_matches

_CHECK_IMAGES = 8
_LARGE_DROP = 5
"""Points of top-1 above which `quantize` names the other calibrations."""
MAX_IMAGE_SIZE = 1024


def export(arguments: Namespace) -> None:
    """Write a network as a file."""
    out = Path(arguments.out)
    opset = DEFAULT_OPSET if arguments.opset is None else arguments.opset
    if arguments.opset is not None and out.suffix == ".pt2":
        raise ConfigError(f"--opset has an effect only on .onnx, found --out {out}; leave it out")
    check_target(out, opset)
    _check_image_size(arguments.image_size)
    plugins = tuple(arguments.plugins)
    source = read_source(arguments.model, arguments.image_size, plugins)
    check_plugins([source], plugins)
    images = sample_images(source.metadata, _CHECK_IMAGES, arguments.data)
    found = write_export(source.net, source.metadata, images, out, opset)
    size = out.stat().st_size / 1e6
    shown = f"test images of {arguments.data}" if arguments.data else "embedded images"
    print(
        f"{out}: {size:.1f} MB, input (N, {', '.join(map(str, images.shape[1:]))}); largest "
        f"difference of a logit to PyTorch {found.max_difference:.1e} on {len(images)} {shown} "
        f"(largest logit {found.max_logit:.3g})"
    )


def quantize(arguments: Namespace) -> None:
    """Bring an exported network to 8 bits and compare the two."""
    for name in ("calibration_images", "chunk", "threads"):
        _check_positive(name, getattr(arguments, name))
    if arguments.percentile is not None and arguments.calibration != "percentile":
        raise ConfigError("--percentile has an effect only with --calibration percentile")
    settings = {"percentile": arguments.percentile} if arguments.percentile is not None else {}
    quantization = Quantization(
        calibration=arguments.calibration,
        per_channel=arguments.weights == "per_channel",
        activations=arguments.activations,
        **settings,
    )
    path = Path(arguments.model)
    out = Path(arguments.out) if arguments.out else path.with_name(f"{path.stem}_int8.onnx")
    if out.suffix != ".onnx" or out.resolve() == path.resolve():
        raise ConfigError(f"--out {out}: expected another file than the model, ending in .onnx")
    model = read_float_model(path)
    metadata = read_metadata(open_session(path), path)
    images = LabelledImages(
        metadata,
        arguments.data,
        batch_size=arguments.chunk,
        max_images=arguments.calibration_images,
        seed=arguments.seed,
    )
    chosen = images.train()
    # Reads every test image, so that none can be at fault once the file has been written.
    before = evaluate_file(path, metadata, images.test())
    histograms = collect(model, lambda: batches_of(chosen))
    write_quantized(model, choose_ranges(histograms, quantization), quantization, out)
    print(
        f"calibrated on {arguments.calibration_images} training images, {arguments.chunk} at a "
        f"time; peak memory so far {peak_memory_gib():.2f} GiB"
    )
    after = evaluate_file(out, metadata, images.test())
    latencies = time_files((path, out), metadata.image_size, arguments.threads)
    measured = [
        Measured(evaluation, file.stat().st_size, latency)
        for evaluation, file, latency in zip((before, after), (path, out), latencies, strict=True)
    ]
    print(comparison_text(*measured, arguments.threads))
    print(out)
    if (drop := before.top1 - after.top1) > _LARGE_DROP:
        others = " or ".join(name for name in RULES if name != quantization.calibration)
        print(
            f"warning: {drop:.1f} points are lost with --calibration {quantization.calibration}; "
            f"try {others}"
        )


def benchmark(arguments: Namespace) -> None:
    """Time networks."""
    for name in ("batch_size", "calls"):
        _check_positive(name, getattr(arguments, name))
    for value in arguments.threads:
        _check_positive("threads", value)
    _check_image_size(arguments.image_size)
    engines = tuple(arguments.engines or ENGINES)
    for name in engines:
        if name not in ENGINES:
            raise ConfigError(f"--engines: {name!r} is unknown; {close_matches(name, ENGINES)}")
    networks = [model for model in arguments.models if not is_file(model)]
    for name in ("engines", "plugins"):
        if getattr(arguments, name) and not networks:
            raise ConfigError(
                f"--{name} has no effect on .onnx files, which are timed as they are; leave it out"
            )
    if arguments.image_size is not None and all(map(is_checkpoint, networks)):
        raise ConfigError(
            "--image_size has an effect only on a network by name; files and checkpoints have "
            "their own; leave it out"
        )
    if len(set(arguments.models)) < len(arguments.models):
        raise ConfigError("a network is named twice; name each once")
    settings = Settings(
        models=tuple(arguments.models),
        engines=engines,
        image_size=arguments.image_size,
        num_threads=tuple(dict.fromkeys(arguments.threads)),
        batch_size=arguments.batch_size,
        num_calls=arguments.calls,
        plugins=tuple(arguments.plugins),
    )
    rows = run_benchmark(settings)
    print(markdown(settings, rows), end="")
    if arguments.out is not None:
        for path in write_results(settings, rows, Path(arguments.out)):
            print(path)


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise ConfigError(f"--{name}: expected a whole number from 1, found {value}")


def _check_image_size(value: int | None) -> None:
    if value is not None and not 8 <= value <= MAX_IMAGE_SIZE:
        raise ConfigError(f"--image_size: expected 8 to {MAX_IMAGE_SIZE}, found {value}")
