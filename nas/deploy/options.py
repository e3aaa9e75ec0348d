"""Settings of export, quantize, benchmark and latency, checked when they are made (no torch)."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from nas.config.fields import check_ranges, setting
from nas.errors import ConfigError, DeployError, close_matches

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
"""What the extra `deploy` installs; nothing else in the project needs them."""
FORMATS = (".onnx", ".pt2")
MIN_OPSET, DEFAULT_OPSET, MAX_OPSET = 18, 18, 23
"""torch.onnx translates to 18, and converts upwards from there."""
MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 8, 1024
CALIBRATIONS = ("minmax", "percentile", "entropy")
"""Ways to choose the range of an activation."""
DEFAULT_PERCENTILE = 99.99
Engine = Literal["eager", "compiled", "onnx_fp32", "onnx_int8"]
ENGINES: tuple[Engine, ...] = ("eager", "compiled", "onnx_fp32", "onnx_int8")
"""PyTorch eager; PyTorch compiled (torch.compile); ONNX Runtime in fp32 and in int8."""

Calibration = Literal["best", "minmax", "percentile", "entropy"]


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """Write a network as .onnx or .pt2 and check its logits against PyTorch's.

    The .onnx file of a detector returns boxes, scores and labels of each image.
    """

    model: str = setting(is_path=True)
    """A checkpoint, a run directory of a training, or the name of a network with settings:
    mobilenext_1.0,identity_ratio=1/2 or DARTS_V2,num_cells=20."""
    out: str = setting(is_path=True)
    """The file to write; its name ends in .onnx or .pt2."""
    image_size: int | None = setting(None, minimum=MIN_IMAGE_SIZE, maximum=MAX_IMAGE_SIZE)
    """Height and width in pixels, for a network by name; a checkpoint has its own."""
    data: str | None = setting(None, is_path=True)
    """Folder of the dataset whose test images are used for the check; without it, the images are
    drawn by the program."""
    opset: int | None = None
    """ONNX operator set of an .onnx file. Default: 18."""
    plugins: tuple[str, ...] = setting((), is_path=True)
    """Modules or .py files with operators that the genotype uses."""
    raw: bool = False
    """Write a detector that returns class logits and box offsets; duplicates are not suppressed."""

    def __post_init__(self) -> None:
        check_ranges(self)
        suffix = Path(self.out).suffix
        if suffix == ".pt2" and self.opset is not None:
            raise ConfigError(
                f"opset: only .onnx files have one, but `out` is {self.out}; leave it out"
            )
        check_target(Path(self.out), self.opset or DEFAULT_OPSET)


@dataclass(frozen=True, kw_only=True)
class QuantizeSettings:
    """Convert an exported network to 8 bits and measure the effect.

    Post-training static INT8: ranges come from training images of the dataset. Accuracy on its
    test images, or the mAP of a detector, file size and latency are printed before and after.
    """

    model: str = setting(is_path=True)
    """The .onnx file that `export` wrote."""
    data: str | None = setting(None, is_path=True)
    """Folder of the dataset that the network was trained on; leave it out for `shapes`. Of a
    detector it has the form of Pascal VOC."""
    out: str | None = setting(None, is_path=True)
    """The file to write. Default: MODEL_int8.onnx next to the model."""
    calibration: Calibration = "best"
    """How the range of an activation is chosen: minmax, percentile, entropy (KL divergence, as in
    TensorRT), or best, which tries all three on the calibration images and keeps the most
    accurate."""
    percentile: float | None = setting(None, above=50, maximum=100)
    """Percent of the values that the range covers, for percentile and best. Default: 99.99."""
    weights: Literal["per_channel", "per_tensor"] = "per_channel"
    """One weight scale for each output channel, or one for the tensor."""
    activations: Literal["uint8", "int8"] = "uint8"
    """uint8 covers the lowest to the highest value and is fast on CPUs; int8 is symmetric, as in
    TensorRT."""
    calibration_images: int = setting(500, minimum=1)
    """Number of training images to calibrate on."""
    chunk: int = setting(10, minimum=1)
    """Number of images whose activations are in memory at once."""
    seed: int = 0
    """Selects the calibration images."""
    threads: int = setting(1, minimum=1)
    """Threads for the latency measurement."""

    def __post_init__(self) -> None:
        check_ranges(self)
        for name, allowed in (("calibration", ("best", *CALIBRATIONS)), ("weights", _WEIGHTS),
                              ("activations", _ACTIVATIONS)):  # fmt: skip
            value = getattr(self, name)
            if value not in allowed:
                raise ConfigError(f"{name}: expected {', '.join(allowed)}, found {value!r}")
        if self.percentile is not None and self.calibration not in ("percentile", "best"):
            raise ConfigError(
                "percentile: has an effect only with the calibrations percentile and best, found "
                f"{self.calibration}; leave it out"
            )
        if self.target.suffix != ".onnx" or self.target.resolve() == Path(self.model).resolve():
            raise ConfigError(
                f"out: expected another file than the model, ending in .onnx, found {self.target}"
            )

    @property
    def target(self) -> Path:
        """The file to write."""
        path = Path(self.model)
        return Path(self.out) if self.out else path.with_name(f"{path.stem}_int8.onnx")


_WEIGHTS = ("per_channel", "per_tensor")
_ACTIVATIONS = ("uint8", "int8")


@dataclass(frozen=True, kw_only=True)
class BenchmarkSettings:
    """Measure latency at batch 1 and throughput of networks in several engines, in one run.

    Detectors are timed up to their raw outputs; .onnx files as they are.
    """

    models: tuple[str, ...] = setting(is_path=True)
    """Checkpoints, run directories, names of networks with settings, or .onnx files, which are
    timed as they are."""
    engines: tuple[Engine, ...] = ENGINES
    """Engines to run networks in; .onnx files have their own."""
    image_size: int | None = setting(None, minimum=MIN_IMAGE_SIZE, maximum=MAX_IMAGE_SIZE)
    """Height and width in pixels, for networks by name; checkpoints and files have their own."""
    threads: tuple[int, ...] = setting((1,), minimum=1)
    """Numbers of threads; each is measured in turn."""
    batch_size: int = setting(32, minimum=1)
    """Batch size of the throughput measurement."""
    calls: int = setting(100, minimum=1)
    """Number of timed calls at batch 1."""
    out: str | None = setting(None, is_path=True)
    """Folder for latency.json, latency.md and latency.png."""
    plugins: tuple[str, ...] = setting((), is_path=True)
    """Modules or .py files with operators that genotypes use."""

    def __post_init__(self) -> None:
        check_ranges(self)
        for name in ("models", "engines", "threads"):
            if not getattr(self, name):
                raise ConfigError(f"{name}: expected at least one")
        for engine in self.engines:
            if engine not in ENGINES:
                raise ConfigError(
                    f"engines: {engine!r} is unknown; {close_matches(engine, ENGINES)}"
                )
        if len(set(self.models)) < len(self.models):
            raise ConfigError("models: a network is named twice; name each once")
        if all(map(is_onnx_file, self.models)):
            for name, default in (("engines", ENGINES), ("plugins", ())):
                if getattr(self, name) != default:
                    raise ConfigError(
                        f"{name}: has no effect on .onnx files, which are timed as they are; "
                        "leave it out"
                    )


@dataclass(frozen=True, kw_only=True)
class LatencySettings:
    """Measure the layers of a search space on this machine, for a target of latency_ms.

    Of cells each operator is timed alone at every size of the network of a decoded cell (36
    channels, 20 cells). Of a chain each layer is timed between two others, as in a network. Whole
    random networks show how far the sum is off. The measurement of a chain that was stopped goes on
    with the same command.
    """

    out: str = setting(is_path=True)
    """The file to write, JSON."""
    space: str = setting("darts", is_path=True)
    """Search space to measure: a name, a YAML file, or several of cells joined by +."""
    plugins: tuple[str, ...] = setting((), is_path=True)
    """Modules or .py files that register more operators, for cells."""
    image_size: int | None = setting(None, minimum=MIN_IMAGE_SIZE, maximum=MAX_IMAGE_SIZE)
    """Height and width of the images in pixels; null is 32, or that of the space of a chain."""
    width_mult: float | None = setting(None, above=0, maximum=10)
    """Width multiplier of a chain; null is that of its space."""
    num_classes: int | None = setting(None, minimum=1, maximum=100_000)
    """Classes of the dataset, for a chain; null is 1000."""
    engine: Engine | None = None
    """What runs a chain, as in `nas benchmark`; null is onnx_fp32. Cells are timed in eager."""
    threads: int = setting(1, minimum=1)
    """Number of threads."""
    calls: int | None = setting(None, minimum=1)
    """Number of timed calls of each layer and network; null is 300, or 50 for cells. The median
    counts; of a chain the tenth percentile over rounds of five calls, which other work disturbs
    least."""
    networks: int | None = setting(None, minimum=1)
    """Random networks to compare the sum with; null is 10, or 4 for cells, where as many others
    give the offset."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.engine is not None and self.engine not in ENGINES:
            raise ConfigError(
                f"engine: {self.engine!r} is unknown; {close_matches(self.engine, ENGINES)}"
            )


def is_onnx_file(model: str) -> bool:
    """Whether a text names an .onnx file, which is timed as it is."""
    return model.endswith(".onnx")


def check_target(out: Path, opset: int) -> None:
    """Check that a file of this name and opset can be written.

    Raises:
        ConfigError: It cannot.
    """
    if out.suffix not in FORMATS:
        raise ConfigError(f"out: expected a name that ends in {' or '.join(FORMATS)}, found {out}")
    if not MIN_OPSET <= opset <= MAX_OPSET:
        raise ConfigError(
            f"opset: found {opset}, but torch.onnx writes {MIN_OPSET} to {MAX_OPSET}; leave it "
            f"out ({DEFAULT_OPSET}), or convert the file with onnx.version_converter"
        )


def check_extra() -> None:
    """Check that the packages of the extra `deploy` are installed.

    Raises:
        DeployError: One is not.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise DeployError(
            f"{', '.join(missing)}: not installed; install the extra: "
            "pip install 'sandglass-nas[deploy]', or pip install -e '.[deploy]' in a checkout"
        )
