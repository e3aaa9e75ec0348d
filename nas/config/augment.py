"""The settings of training; the defaults are those of DARTS on CIFAR-10.

Source: DARTS (arXiv:1806.09055), Sec. 3.1 and Appendix A.2.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from nas.config.evaluate import EvaluateConfig
from nas.config.fields import check_ranges, check_skip_corrupt, setting
from nas.config.network_size import NETWORK_SIZES
from nas.config.old_keys import REMOVED, Removed
from nas.config.run import RunConfig
from nas.config.target import Target, check_latency_table, read_targets
from nas.errors import ConfigError
from nas.space import DEFAULT_FAMILY, get_cell_family

_NETWORKS = ("genotype", "model", "network")
"""The settings that name the network."""
_OF_GENOTYPES = (
    "space",
    "stem",
    "init_channels",
    "num_cells",
    "auxiliary_weight",
    "drop_path_prob",
)
_STEM_DEFAULTS = {stem: size._asdict() for stem, size in NETWORK_SIZES.items()}


@dataclass(frozen=True)
class AugmentConfig(EvaluateConfig, RunConfig):
    """Settings of training, or of measuring a trained network."""

    removed: ClassVar[Mapping[str, Removed]] = {
        **REMOVED,
        "list_models": Removed(None, "it is a flag that is not saved"),
    }

    weights: str | None = setting(None, group="network", is_path=True)
    """Start from the weights of this checkpoint; a classifier for other classes is left out."""
    max_images: int | None = setting(None, minimum=2, group="data")
    """Use at most N training images, in equal shares of every class; null uses all."""
    val_fraction: float = setting(0.0, minimum=0, below=1, group="data")
    """Fraction of the training images that is held out to choose the best epoch; 0 holds out
    none."""
    out: str | None = setting(None, group="run", is_path=True)
    """Run directory; null is runs/augment-GENOTYPE-DATASET-seedSEED."""
    resume: bool = setting(False, group="run")
    """Continue the run in `out`; settings that are not given are read from there."""

    stem: Literal["cifar", "imagenet"] | None = setting(None, group="network")
    """First layers: cifar keeps the resolution, imagenet divides it by 8 before the first cell.
    Null is cifar."""
    init_channels: int | None = setting(None, minimum=2, maximum=4096, group="network")
    """Channels of the nodes in the first cell; null is 36, or 48 with the imagenet stem, or 16 for
    a cell of NAS-Bench-201."""
    num_cells: int | None = setting(None, minimum=1, maximum=200, group="network")
    """Cells of the network, two of which are reduction cells; null is 20, or 14 with the imagenet
    stem. For a cell of NAS-Bench-201 it is the cells of each of the three stages; null is 5."""
    auxiliary_weight: float | None = setting(None, minimum=0, group="regularization")
    """Weight of the auxiliary head's loss; 0 builds no head; null is 0.4, or 0 for a cell of
    NAS-Bench-201."""
    drop_path_prob: float | None = setting(None, minimum=0, below=1, group="regularization")
    """Final drop-path probability, increased linearly from 0 over training; null is 0.2, or 0 for a
    cell of NAS-Bench-201. Networks by name have a constant one instead, chains none."""

    epochs: int = setting(600, minimum=1, group="budget")
    """Passes over the training images."""
    batch_size: int = setting(96, minimum=2, group="budget")
    """Images per step, over all processes."""
    eval_interval: int = setting(1, minimum=1, group="budget")
    """Epochs between measurements on the test images; the last epoch is always measured."""
    seed: int = setting(0, minimum=0, maximum=2**31 - 1, group="budget")
    """Seed of the weights, of drop path and of the order of the images."""
    cutout: int | None = setting(None, minimum=0, maximum=1024, group="regularization")
    """Side in pixels of the square that is blanked in training images; 0 is off; null is half of
    the side of the image, which is 16 for CIFAR, or 0 for imagenet."""
    horizontal_flip: bool = setting(True, group="regularization")
    """Mirror half of the training images left to right. Turn it off where left and right differ,
    as in letters, digits and arrows."""
    color_jitter: float = setting(0.0, minimum=0, maximum=1, group="regularization")
    """Range of the random changes of brightness, contrast and saturation; the hue changes by half
    of it. Only for imagenet."""
    workers: int | None = setting(None, minimum=0, maximum=256, group="arithmetic")
    """Processes that decode images; null is 4. Only for imagenet; other datasets are in memory."""
    label_smoothing: float = setting(0.0, minimum=0, below=1, group="regularization")
    """Fraction of the target that is spread over all classes."""

    learning_rate: float = setting(0.025, above=0, group="optimization")
    """Highest learning rate."""
    learning_rate_min: float = setting(0.0, minimum=0, group="optimization")
    """Learning rate at the end of the cosine schedule, and during the cool-down."""
    schedule: Literal["cosine", "exponential"] = setting("cosine", group="optimization")
    """How the learning rate falls from epoch to epoch."""
    decay_rate: float = setting(0.97, above=0, maximum=1, group="optimization")
    """Factor of each fall of the exponential schedule."""
    decay_epochs: float = setting(1.0, above=0, group="optimization")
    """Epochs between the falls of the exponential schedule."""
    warmup_epochs: int = setting(0, minimum=0, group="optimization")
    """Number of first epochs in which the learning rate rises linearly."""
    warmup_learning_rate: float = setting(0.0, minimum=0, group="optimization")
    """Learning rate at the start of the warm-up."""
    cooldown_epochs: int = setting(0, minimum=0, group="optimization")
    """Additional epochs at learning_rate_min after the cosine schedule."""
    optimizer: Literal["sgd", "rmsprop"] = setting("sgd", group="optimization")
    """sgd, or rmsprop with decay 0.9 and epsilon 0.001."""
    momentum: float = setting(0.9, minimum=0, below=1, group="optimization")
    """Momentum of the optimizer."""
    nesterov: bool = setting(False, group="optimization")
    """Use Nesterov's form of momentum; only for sgd."""
    weight_decay: float = setting(3e-4, minimum=0, group="regularization")
    """Weight decay of the network weights."""
    norm_decay: bool = setting(True, group="regularization")
    """Apply the weight decay to BatchNorms and biases too."""
    grad_clip: float | None = setting(5.0, above=0, group="optimization")
    """Largest norm of the gradient; null does not clip."""
    ema_decay: float = setting(0.0, minimum=0, below=1, group="optimization")
    """Decay of the moving average of the weights, which is then what is measured; 0 is off."""

    def __post_init__(self) -> None:
        check_ranges(self)
        for name in ("out", "genotype", "model", "network", "weights", "evaluate"):
            if getattr(self, name) == "":
                raise ConfigError(f"{name}: expected a value, found ''")
        if self.evaluate is not None and self.resume:
            raise ConfigError("`resume` has no effect with `evaluate`; leave one of them out")
        self._check_network()
        self._check_data()
        self._check_schedule()
        self.check_compute(self.batch_size)

    def _check_network(self) -> None:
        if self.ema_weights and self.weights is None and self.evaluate is None:
            raise ConfigError("`ema_weights` has an effect only with `weights` or `evaluate`")
        given = [name for name in _NETWORKS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigError(
                f"{' and '.join(f'`{name}`' for name in given)} both name the network to train; "
                "leave one of them out"
            )
        if self.identity_ratio is not None and given in ([], ["genotype"]):
            raise ConfigError("`identity_ratio` has an effect only with `model` or `network`")
        for name in _OF_GENOTYPES:
            kept = name == "space" and self.model is None
            if getattr(self, name) is not None and given not in ([], ["genotype"]) and not kept:
                raise ConfigError(
                    f"`{name}` has an effect only on the network of a `genotype`; leave it out "
                    f"with `{given[0]}`"
                )
        if self.evaluate is None:  # else some settings may be those of the checkpoint
            self._check_random_network()

    def _check_random_network(self) -> None:
        is_random = self.network is not None and self.network.startswith("random:")
        for name in ("target", "latency_table", "width_mult"):
            if getattr(self, name) is not None and not is_random:
                raise ConfigError(f"`{name}` has an effect only with `network` random:SEED")
        targets = read_targets(self.target or "")
        check_latency_table(targets, self.latency_table)
        for target in targets:
            if target != Target(target.quantity, target.value):
                raise ConfigError(
                    f"target: {target.quantity}: a random network meets it without any weight or "
                    "warm-up; leave them out"
                )

    def _check_data(self) -> None:
        check_skip_corrupt(self.dataset, self.skip_corrupt)
        if self.dataset == "imagenet":
            if self.cutout:
                raise ConfigError("cutout: imagenet is trained with random resized crops only")
            return
        for name, unset in (("color_jitter", 0.0), ("workers", None)):
            if getattr(self, name) != unset:
                raise ConfigError(f"`{name}` has an effect only with `dataset` imagenet")

    def _check_schedule(self) -> None:
        if self.learning_rate_min > self.learning_rate:
            raise ConfigError(
                f"learning_rate_min: expected at most `learning_rate` {self.learning_rate}, "
                f"found {self.learning_rate_min}"
            )
        for schedule, name, unset in (
            ("cosine", "learning_rate_min", 0),
            ("cosine", "cooldown_epochs", 0),
            ("exponential", "decay_rate", 0.97),
            ("exponential", "decay_epochs", 1.0),
        ):
            if self.schedule != schedule and getattr(self, name) != unset:
                raise ConfigError(f"`{name}` has an effect only with `schedule` {schedule}")
        if self.warmup_learning_rate != 0 and self.warmup_epochs == 0:
            raise ConfigError("`warmup_learning_rate` has an effect only with `warmup_epochs`")
        if self.warmup_epochs >= self.epochs:
            raise ConfigError(
                f"warmup_epochs: expected fewer than `epochs` {self.epochs}, found "
                f"{self.warmup_epochs}"
            )
        if self.nesterov and (self.momentum == 0 or self.optimizer != "sgd"):
            raise ConfigError("`nesterov` needs `optimizer` sgd and a `momentum` above 0")


def resolved(config: AugmentConfig, family: str = DEFAULT_FAMILY) -> AugmentConfig:
    """Replace null by the default for the network and dataset of the other settings.

    Args:
        config: The settings.
        family: The family of the genotype, if there is one.

    Source: DARTS (arXiv:1806.09055), Sec. 3.1 (CIFAR-10) and 3.3 (ImageNet).
    """
    # 16 at 32 x 32, the size of CIFAR and shapes; other sizes keep the proportion.
    cutout = 0 if config.dataset == "imagenet" else (config.image_size or 32) // 2
    values: dict[str, Any] = {"cutout": cutout}
    if config.dataset == "imagenet":
        values["workers"] = 4
    if config.model is None and config.network is None:
        stem = config.stem or "cifar"
        values |= {"stem": stem, **_STEM_DEFAULTS[stem]}
        values |= get_cell_family(family).network_settings
    missing = {name: value for name, value in values.items() if getattr(config, name) is None}
    return dataclasses.replace(config, **missing)
