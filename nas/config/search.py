"""The settings of a search; the defaults are those of DARTS on CIFAR-10.

Source: DARTS (arXiv:1806.09055), Sec. 3.1 and Appendix A.1.
"""

from dataclasses import dataclass
from typing import Literal

from nas.config.compute import ComputeConfig
from nas.config.fields import bounded, check_ranges, check_skip_corrupt
from nas.config.run import RunConfig
from nas.errors import ConfigError


@dataclass(frozen=True)
class SearchConfig(ComputeConfig, RunConfig):
    """Settings of a search."""

    space: str = "darts"
    """Search space: a name in search_spaces/, a YAML file, or parts joined by + such as
    darts+sandglass."""
    plugins: tuple[str, ...] = ()
    """Modules or .py files that register more operators."""
    dataset: str = "cifar10"
    """cifar10, cifar100, imagefolder or shapes (drawn by the program, no files needed)."""
    data: str = "data"
    """Folder of the data set."""
    image_size: int | None = bounded(None, minimum=8, maximum=1024)
    """Height and width in pixels; null is the data set's own."""
    max_images: int | None = bounded(None, minimum=2)
    """Use only so many training images, the same share of every class; null uses all."""
    skip_corrupt: bool = False
    """Leave out images that cannot be read, and name them; without it one is an error. Only for
    images in files."""
    out: str | None = None
    """Run directory; null is runs/SPACE-DATASET-seedSEED."""
    resume: bool = False
    """Continue the run in --out; its settings are read from there."""
    seed: int = bounded(0, minimum=0, maximum=2**31 - 1)
    """Of the weights, the alphas, the split and the order of the images."""

    epochs: int = bounded(50, minimum=1)
    """Passes over the training half."""
    batch_size: int = bounded(64, minimum=2)
    """Images in a weight step and in an alpha step, over all processes."""
    init_channels: int = bounded(16, minimum=2, maximum=4096)
    """C of the first cell's nodes."""
    num_cells: int = bounded(8, minimum=3, maximum=200)
    """Cells of the supernet, two of which are reductions."""
    train_fraction: float = bounded(0.5, above=0, below=1)
    """Share of the training images that updates w; the others update alpha."""

    learning_rate: float = bounded(0.025, above=0)
    """Of the weights, in the first epoch."""
    learning_rate_min: float = bounded(0.001, minimum=0)
    """Of the weights, where the cosine ends."""
    momentum: float = bounded(0.9, minimum=0, below=1)
    """Of the weights' SGD."""
    weight_decay: float = bounded(3e-4, minimum=0)
    """Of the weights."""
    grad_clip: float = bounded(5.0, above=0)
    """Largest norm of the weights' gradient."""

    architect: Literal["first_order", "second_order", "second_order_exact"] = "first_order"
    """Alpha gradient: at w, at the virtual step w' with a finite difference, or at w' exactly."""
    xi: float | None = bounded(None, above=0)
    """Step of the virtual weights; null is the current learning rate. Second order only."""
    epsilon: float = bounded(0.01, above=0)
    """Finite difference: w moves by epsilon / ||v||. Only for second_order."""
    alpha_learning_rate: float = bounded(3e-4, above=0)
    """Of the alphas' Adam."""
    alpha_betas: tuple[float, float] = bounded((0.5, 0.999), minimum=0, below=1)
    """Of the alphas' Adam."""
    alpha_weight_decay: float = bounded(1e-3, minimum=0)
    """Of the alphas."""
    alpha_init_std: float = bounded(1e-3, minimum=0)
    """Standard deviation of the first alphas."""

    def __post_init__(self):
        check_ranges(self)
        check_skip_corrupt(self.dataset, self.skip_corrupt)
        if self.out == "":
            raise ConfigError("--out: expected the path of a directory, found ''")
        if self.learning_rate_min > self.learning_rate:
            raise ConfigError(
                f"--learning_rate_min: expected at most --learning_rate {self.learning_rate}, "
                f"found {self.learning_rate_min}"
            )
        if self.xi is not None and self.architect == "first_order":
            raise ConfigError("--xi has no effect in first order; add --architect second_order")
        if self.epsilon != 0.01 and self.architect != "second_order":
            raise ConfigError("--epsilon has an effect only with --architect second_order")
        if self.sync_batchnorm and self.architect == "second_order_exact":
            raise ConfigError(
                "--sync_batchnorm has no second derivative, which --architect second_order_exact "
                "needs; use second_order"
            )
        self.check_compute(self.batch_size)
        if self.architect != "first_order" and self.precision != "fp32":
            raise ConfigError(
                f"--precision {self.precision}: only with --architect first_order; the second "
                "order needs all digits of fp32, moving weights by less than others can tell apart"
            )
        if self.architect == "second_order_exact" and self.micro_batch is not None:
            raise ConfigError(
                "--micro_batch: not with --architect second_order_exact, which "
                "keeps the graph of the whole batch; use second_order"
            )
        self._check_compile()

    def _check_compile(self) -> None:
        is_compiled = self.compile not in ("auto", "off")
        if self.architect == "second_order_exact" and is_compiled:
            raise ConfigError(
                f"--compile {self.compile}: not with --architect second_order_exact, whose second "
                "derivative compiled code does not have; use second_order or --compile off"
            )
        if self.compile == "reduce-overhead":
            raise ConfigError(
                "--compile reduce-overhead: only for a retrain; a search hands its network other "
                "tensors from pass to pass, which a CUDA graph does not follow; use default or off"
            )
