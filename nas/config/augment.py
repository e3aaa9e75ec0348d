"""The settings of a retrain; the defaults are those of DARTS on CIFAR-10.

Source: DARTS (arXiv:1806.09055), Sec. 3.1 and Appendix A.2.
"""

from dataclasses import dataclass
from typing import Literal

from nas.config.fields import bounded, check_ranges
from nas.errors import ConfigError


@dataclass(frozen=True)
class AugmentConfig:
    """Settings of a retrain, or of measuring a trained model."""

    genotype: str | None = None
    """Published name, genotype.json, run directory of a search, text, or random:SEED."""
    space: str | None = None
    """Space of random:SEED (null is darts); of another genotype, the space it must come from."""
    plugins: tuple[str, ...] = ()
    """Modules or .py files that register more operators."""
    evaluate: str | None = None
    """Measure this checkpoint, or the newest one of this run directory, and train nothing."""
    dataset: str = "cifar10"
    """cifar10, cifar100, imagenet, imagefolder or shapes (drawn by the program, needs no files)."""
    data: str = "data"
    """Folder of the data set."""
    image_size: int | None = bounded(None, minimum=8, maximum=1024)
    """Height and width in pixels; null is the data set's own, 224 for imagenet."""
    max_images: int | None = bounded(None, minimum=2)
    """Use only so many training images, the same share of every class; null uses all."""
    val_fraction: float = bounded(0.0, minimum=0, below=1)
    """Share of the training images that is held out to choose the best epoch; 0 holds out none."""
    out: str | None = None
    """Run directory; null is runs/augment-GENOTYPE-DATASET-seedSEED."""
    resume: bool = False
    """Continue the run in --out; its settings are read from there."""
    seed: int = bounded(0, minimum=0, maximum=2**31 - 1)
    """Of the weights, drop path and the order of the images."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU when there is one."""

    stem: Literal["cifar", "imagenet"] = "cifar"
    """cifar keeps the resolution; imagenet divides it by 8 before the first cell."""
    init_channels: int | None = bounded(None, minimum=2)
    """C of the first cell's nodes; null is 36, with the imagenet stem 48."""
    num_cells: int | None = bounded(None, minimum=3, maximum=200)
    """Cells of the network, two of which are reductions; null is 20, with the imagenet stem 14."""
    auxiliary_weight: float = bounded(0.4, minimum=0)
    """Weight of the auxiliary head's loss; 0 builds no head."""
    drop_path_prob: float = bounded(0.2, minimum=0, below=1)
    """Probability of dropping a path, reached linearly: epoch e of E has e / E of it."""

    epochs: int = bounded(600, minimum=1)
    """Passes over the training images."""
    batch_size: int = bounded(96, minimum=2)
    """Images in a step."""
    eval_batch_size: int = bounded(250, minimum=1)
    """Images in a batch of measuring; changes memory and speed, not results."""
    eval_interval: int = bounded(1, minimum=1)
    """Epochs between measurements on the test images; the last epoch is always measured."""
    cutout: int | None = bounded(None, minimum=0, maximum=1024)
    """Side of the square that is blanked in training images, pixels; 0 is off; null is 16, for
    imagenet 0."""
    color_jitter: float = bounded(0.0, minimum=0, maximum=1)
    """Range of brightness, contrast and saturation; the hue has half of it; only for imagenet."""
    workers: int | None = bounded(None, minimum=0, maximum=256)
    """Processes that decode images; null is 4; only for imagenet, other sets are in memory."""
    label_smoothing: float = bounded(0.0, minimum=0, below=1)
    """Share of the target that is spread over all classes."""

    learning_rate: float = bounded(0.025, above=0)
    """Highest learning rate."""
    learning_rate_min: float = bounded(0.0, minimum=0)
    """Where the cosine ends; only for --schedule cosine."""
    schedule: Literal["cosine", "exponential"] = "cosine"
    """How the learning rate falls, epoch by epoch, after the warm-up."""
    decay_rate: float = bounded(0.97, above=0, maximum=1)
    """Factor an epoch; only for --schedule exponential."""
    warmup_epochs: int = bounded(0, minimum=0)
    """Epochs in which the learning rate rises linearly to --learning_rate."""
    momentum: float = bounded(0.9, minimum=0, below=1)
    """Of SGD."""
    nesterov: bool = False
    """Nesterov's form of momentum."""
    weight_decay: float = bounded(3e-4, minimum=0)
    """Of all weights."""
    grad_clip: float | None = bounded(5.0, above=0)
    """Largest norm of the gradient; null does not clip."""
    ema_decay: float = bounded(0.0, minimum=0, below=1)
    """Of the moving average of the weights, which is then what is measured; 0 is off."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Of the forward pass; weights and optimiser stay fp32. fp16 needs a GPU."""

    def __post_init__(self):
        check_ranges(self)
        for name in ("out", "genotype", "evaluate"):
            if getattr(self, name) == "":
                raise ConfigError(f"--{name}: expected a value, found ''")
        if self.evaluate is not None and self.resume:
            raise ConfigError("--resume has no effect with --evaluate; leave one of them out")
        self._check_data()
        self._check_schedule()

    def _check_data(self) -> None:
        if self.dataset == "imagenet":
            if self.cutout:
                raise ConfigError("--cutout: imagenet is trained with random resized crops only")
            return
        for name, unset in (("color_jitter", 0.0), ("workers", None)):
            if getattr(self, name) != unset:
                raise ConfigError(f"--{name} has an effect only with --dataset imagenet")

    def _check_schedule(self) -> None:
        if self.learning_rate_min > self.learning_rate:
            raise ConfigError(
                f"--learning_rate_min: expected at most --learning_rate {self.learning_rate}, "
                f"found {self.learning_rate_min}"
            )
        if self.schedule != "cosine" and self.learning_rate_min != 0:
            raise ConfigError("--learning_rate_min has an effect only with --schedule cosine")
        if self.schedule != "exponential" and self.decay_rate != 0.97:
            raise ConfigError("--decay_rate has an effect only with --schedule exponential")
        if self.warmup_epochs >= self.epochs:
            raise ConfigError(
                f"--warmup_epochs: expected fewer than --epochs {self.epochs}, found "
                f"{self.warmup_epochs}"
            )
        if self.nesterov and self.momentum == 0:
            raise ConfigError("--nesterov needs a --momentum above 0")
