"""The settings of a retrain; the defaults are those of DARTS on CIFAR-10.

Source: DARTS (arXiv:1806.09055), Sec. 3.1 and Appendix A.2.
"""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from nas.config.compute import ComputeConfig
from nas.config.fields import bounded, check_ranges, check_skip_corrupt
from nas.config.run import RunConfig
from nas.errors import ConfigError

_OF_GENOTYPES = (
    *("genotype", "space", "stem", "init_channels", "num_cells", "auxiliary_weight"),
    "drop_path_prob",
)
_GENOTYPE_DEFAULTS = {"auxiliary_weight": 0.4, "drop_path_prob": 0.2}
_STEM_DEFAULTS = {
    "cifar": {"init_channels": 36, "num_cells": 20},
    "imagenet": {"init_channels": 48, "num_cells": 14},
}


@dataclass(frozen=True)
class AugmentConfig(ComputeConfig, RunConfig):
    """Settings of a retrain, or of measuring a trained model."""

    genotype: str | None = None
    """Published name, genotype.json, run directory of a search, text, or random:SEED."""
    model: str | None = None
    """In place of a genotype a network by name, such as mobilenext_1.0."""
    list_models: bool = False
    """Print the names of the networks and exit."""
    weights: str | None = None
    """Start from the weights of this checkpoint, such as the authors'; only with --model."""
    ema_weights: bool = False
    """Take the moving average that the authors' checkpoint also holds."""
    identity_ratio: str | None = None
    """Identity tensor multiplier, such as 1/2; only with --model mobilenext_..."""
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
    skip_corrupt: bool = False
    """Leave out images that cannot be read, and name them; without it one is an error. Only for
    images in files."""
    out: str | None = None
    """Run directory; null is runs/augment-GENOTYPE-DATASET-seedSEED."""
    resume: bool = False
    """Continue the run in --out; its settings are read from there."""
    seed: int = bounded(0, minimum=0, maximum=2**31 - 1)
    """Of the weights, drop path and the order of the images."""

    stem: Literal["cifar", "imagenet"] | None = None
    """cifar, also null, keeps the resolution; imagenet divides it by 8 before the first cell."""
    init_channels: int | None = bounded(None, minimum=2, maximum=4096)
    """C of the first cell's nodes; null is 36, with the imagenet stem 48."""
    num_cells: int | None = bounded(None, minimum=3, maximum=200)
    """Cells of the network, two of which are reductions; null is 20, with the imagenet stem 14."""
    auxiliary_weight: float | None = bounded(None, minimum=0)
    """Weight of the auxiliary head's loss; 0 builds no head; null is 0.4."""
    drop_path_prob: float | None = bounded(None, minimum=0, below=1)
    """Probability of dropping a path, reached linearly: epoch e of E has e / E of it; null is 0.2.
    Networks by name have their own, constant one."""

    epochs: int = bounded(600, minimum=1)
    """Passes over the training images."""
    batch_size: int = bounded(96, minimum=2)
    """Images in a step, over all processes."""
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
    """Where the cosine ends, and of the cool-down; only for --schedule cosine."""
    schedule: Literal["cosine", "exponential"] = "cosine"
    """How the learning rate falls, epoch by epoch."""
    decay_rate: float = bounded(0.97, above=0, maximum=1)
    """Factor of each fall; only for --schedule exponential."""
    decay_epochs: float = bounded(1.0, above=0)
    """Epochs between falls; only for --schedule exponential."""
    warmup_epochs: int = bounded(0, minimum=0)
    """First epochs, in which the learning rate rises linearly instead."""
    warmup_learning_rate: float = bounded(0.0, minimum=0)
    """Where the warm-up begins; only with --warmup_epochs."""
    cooldown_epochs: int = bounded(0, minimum=0)
    """Epochs after --epochs with --learning_rate_min; only for --schedule cosine."""
    optimizer: Literal["sgd", "rmsprop"] = "sgd"
    """sgd, or rmsprop with decay 0.9 and epsilon 0.001."""
    momentum: float = bounded(0.9, minimum=0, below=1)
    """Of either optimiser."""
    nesterov: bool = False
    """Nesterov's form of momentum; only for --optimizer sgd."""
    weight_decay: float = bounded(3e-4, minimum=0)
    """Of the weights."""
    norm_decay: bool = True
    """Whether the weight decay is also that of BatchNorms and biases."""
    grad_clip: float | None = bounded(5.0, above=0)
    """Largest norm of the gradient; null does not clip."""
    ema_decay: float = bounded(0.0, minimum=0, below=1)
    """Of the moving average of the weights, which is then what is measured; 0 is off."""

    def __post_init__(self):
        check_ranges(self)
        for name in ("out", "genotype", "model", "weights", "evaluate"):
            if getattr(self, name) == "":
                raise ConfigError(f"--{name}: expected a value, found ''")
        if self.evaluate is not None and self.resume:
            raise ConfigError("--resume has no effect with --evaluate; leave one of them out")
        self._check_network()
        self._check_data()
        self._check_schedule()
        self.check_compute(self.batch_size)

    def _check_network(self) -> None:
        if self.model is None:
            for name in ("weights", "identity_ratio"):
                if getattr(self, name) is not None:
                    raise ConfigError(f"--{name} has an effect only with --model")
        if self.ema_weights and self.weights is None and self.evaluate is None:
            raise ConfigError("--ema_weights has an effect only with --weights or --evaluate")
        if self.model is None:
            return
        for name in _OF_GENOTYPES:
            if getattr(self, name) is not None:
                raise ConfigError(f"--{name} has an effect only with --genotype, found --model")

    def _check_data(self) -> None:
        check_skip_corrupt(self.dataset, self.skip_corrupt)
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
        if self.schedule != "cosine" and self.cooldown_epochs != 0:
            raise ConfigError("--cooldown_epochs has an effect only with --schedule cosine")
        for name, default in (("decay_rate", 0.97), ("decay_epochs", 1.0)):
            if self.schedule != "exponential" and getattr(self, name) != default:
                raise ConfigError(f"--{name} has an effect only with --schedule exponential")
        if self.warmup_learning_rate != 0 and self.warmup_epochs == 0:
            raise ConfigError("--warmup_learning_rate has an effect only with --warmup_epochs")
        if self.warmup_epochs >= self.epochs:
            raise ConfigError(
                f"--warmup_epochs: expected fewer than --epochs {self.epochs}, found "
                f"{self.warmup_epochs}"
            )
        if self.nesterov and (self.momentum == 0 or self.optimizer != "sgd"):
            raise ConfigError("--nesterov needs --optimizer sgd and a --momentum above 0")


def resolved(config: AugmentConfig) -> AugmentConfig:
    """Fill in what a null setting stands for with the network and data of the other settings.

    Source: DARTS (arXiv:1806.09055), Sec. 3.1 (CIFAR-10) and 3.3 (ImageNet).
    """
    values = {"cutout": 0 if config.dataset == "imagenet" else 16}
    if config.dataset == "imagenet":
        values["workers"] = 4
    if config.model is None:
        stem = config.stem or "cifar"
        values |= {"stem": stem, **_STEM_DEFAULTS[stem], **_GENOTYPE_DEFAULTS}
    missing = {name: value for name, value in values.items() if getattr(config, name) is None}
    return dataclasses.replace(config, **missing)
