"""The settings of a search; the defaults are those of DARTS on CIFAR-10.

Source: DARTS (arXiv:1806.09055), Sec. 3.1 and Appendix A.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from nas.config.choice import Choice, choices_to_text, read_choice, read_choices
from nas.config.compute import ComputeConfig
from nas.config.fields import check_ranges, check_skip_corrupt, setting
from nas.config.old_keys import REMOVED, Removed
from nas.config.run import RunConfig
from nas.config.target import (
    check_latency_table,
    frontier_to_text,
    read_frontier,
    read_targets,
    targets_to_text,
)
from nas.errors import ConfigError


@dataclass(frozen=True)
class SearchConfig(ComputeConfig, RunConfig):
    """Settings of a search."""

    renamed: ClassVar[Mapping[str, str]] = {"architect": "order"}
    removed: ClassVar[Mapping[str, Removed]] = REMOVED

    space: str = setting("darts", group="space", is_path=True)
    """Search space: a name in search_spaces/, a YAML file, or several joined by +, such as
    darts+sandglass; cells, or a chain such as mobilenext_chain."""
    width_mult: float | None = setting(None, above=0, maximum=10, group="space")
    """What the widths of a chain are multiplied by; null is that of its file. Only for a chain."""
    plugins: tuple[str, ...] = setting((), group="space", is_path=True)
    """Modules or .py files that register more operators."""
    dataset: str = setting("cifar10", group="data")
    """cifar10, cifar100, imagefolder or shapes (drawn by the program; needs no files)."""
    data: str = setting("data", group="data", is_path=True)
    """Folder of the dataset."""
    image_size: int | None = setting(None, minimum=8, maximum=1024, group="data")
    """Height and width in pixels; null uses the size of the dataset."""
    max_images: int | None = setting(None, minimum=2, group="data")
    """Use at most N training images, in equal shares of every class; null uses all."""
    skip_corrupt: bool = setting(False, group="data")
    """Leave out images that cannot be read, and list them. By default one is an error. Only for
    images in files."""
    train_fraction: float = setting(0.5, above=0, below=1, group="data")
    """Fraction of the training images that updates the weights; the rest updates the alphas."""
    horizontal_flip: bool = setting(True, group="data")
    """Mirror half of the training images left to right. Turn it off where left and right differ,
    as in letters, digits and arrows."""
    out: str | None = setting(None, group="run", is_path=True)
    """Run directory; null is runs/SPACE-DATASET-seedSEED."""
    resume: bool = setting(False, group="run")
    """Continue the run in `out`; settings that are not given are read from there."""

    epochs: int = setting(50, minimum=1, group="budget")
    """Passes over the images that update the weights."""
    batch_size: int = setting(64, minimum=2, group="budget")
    """Images per weight step and per alpha step, over all processes."""
    init_channels: int = setting(16, minimum=2, maximum=4096, group="budget")
    """Channels of the nodes in the first cell."""
    num_cells: int = setting(8, minimum=1, maximum=200, group="budget")
    """Cells of the supernet, two of which are reduction cells; in a space of the family nasbench201
    the cells of each of the three stages."""
    seed: int = setting(0, minimum=0, maximum=2**31 - 1, group="budget")
    """Seed of the weights, the alphas, the split and the order of the images."""

    learning_rate: float = setting(0.025, above=0, group="optimization")
    """Learning rate of the network weights in the first epoch."""
    learning_rate_min: float = setting(0.001, minimum=0, group="optimization")
    """Learning rate of the network weights at the end of the cosine schedule."""
    momentum: float = setting(0.9, minimum=0, below=1, group="optimization")
    """SGD momentum for the network weights."""
    weight_decay: float = setting(3e-4, minimum=0, group="optimization")
    """Weight decay of the network weights."""
    grad_clip: float = setting(5.0, above=0, group="optimization")
    """Largest norm of the gradient of the network weights."""

    method: str = setting("darts", group="method", convert=choices_to_text)
    """Search method and its settings, such as pc_darts,channel_fraction=4; --list_methods shows
    all."""
    list_methods: bool = setting(False, group="method")
    """Print the methods, terms, monitors, stopping rules and selections with their settings, and
    exit."""
    term: str | None = setting(None, group="method", convert=choices_to_text)
    """Terms added to the alpha loss, joined by +, such as beta_decay,weight=0.5."""
    monitor: str | None = setting(None, group="method", convert=choices_to_text)
    """Numbers measured after every epoch, joined by +, such as margin."""
    monitor_eigenvalue: int = setting(0, minimum=0, group="method")
    """Measure the dominant eigenvalue of the Hessian of the alphas every N epochs; 0 never. Short
    for --monitor eigenvalue,every=N."""
    stop: str | None = setting(None, group="method", convert=choices_to_text)
    """Rules that end the search early, joined by +, such as skip_count,limit=2."""
    selection: str | None = setting(None, group="method", convert=choices_to_text)
    """How the cells are chosen after the search, such as darts_pt,interval=5; null reads them off
    the alphas."""
    target: str | None = setting(None, group="method", convert=targets_to_text)
    """Cost that the decoded network should have, such as madds=300e6, parameters=2.5e6 or
    latency_ms=12; see docs/targets.md."""
    targets: str | None = setting(None, group="method", convert=frontier_to_text)
    """Costs of several networks of a chain that are searched from one supernet, such as
    madds=150e6,200e6,300e6; see docs/chain.md."""
    latency_table: str | None = setting(None, group="method", is_path=True)
    """File that `nas latency` wrote; for a target of latency_ms."""
    order: Literal["first_order", "second_order"] = setting("first_order", group="method")
    """Alpha gradient: at the current weights, or after a virtual step of the weights."""
    xi: float | None = setting(None, above=0, group="architect")
    """Size of the virtual step; null is the current learning rate. Second order only."""
    epsilon: float = setting(0.01, above=0, group="architect")
    """Scale of the finite difference: weights move by epsilon / ||v||. Second order only."""
    alpha_learning_rate: float = setting(3e-4, above=0, group="architect")
    """Learning rate of the Adam optimizer for the alphas."""
    alpha_betas: tuple[float, float] = setting((0.5, 0.999), minimum=0, below=1, group="architect")
    """Betas of the Adam optimizer for the alphas."""
    alpha_weight_decay: float = setting(1e-3, minimum=0, group="architect")
    """Weight decay of the alphas."""
    alpha_init_std: float = setting(1e-3, minimum=0, group="architect")
    """Standard deviation of the initial alphas."""

    def __post_init__(self) -> None:
        check_ranges(self)
        read_choice(self.method, "method")
        if self.selection is not None:
            read_choice(self.selection, "selection")
        for name in ("term", "monitor", "stop"):
            _check_distinct(read_choices(getattr(self, name) or "", name), name)
        self._check_targets()
        monitors = [choice.name for choice in read_choices(self.all_monitors or "", "monitor")]
        if monitors.count("eigenvalue") > 1:
            where = (
                "monitor_eigenvalue: `monitor` names eigenvalue too"
                if self.monitor_eigenvalue
                else "monitor: eigenvalue is there twice"
            )
            raise ConfigError(f"{where}; give one of them")
        check_skip_corrupt(self.dataset, self.skip_corrupt)
        if self.out == "":
            raise ConfigError("out: expected the path of a directory, found ''")
        if self.learning_rate_min > self.learning_rate:
            raise ConfigError(
                f"learning_rate_min: expected at most `learning_rate` {self.learning_rate}, "
                f"found {self.learning_rate_min}"
            )
        for name, default in (("xi", None), ("epsilon", 0.01)):
            if getattr(self, name) != default and self.order == "first_order":
                raise ConfigError(f"{name}: has no effect in first order; add `order` second_order")
        if self.order != "first_order" and self.precision != "fp32":
            raise ConfigError(
                f"precision: found {self.precision}, but second_order needs fp32: its "
                "finite-difference step is below the resolution of lower precisions"
            )
        if self.compile == "reduce-overhead":
            raise ConfigError(
                "compile: reduce-overhead is for training only; a search passes other tensors to "
                "its network in every pass, which CUDA graphs cannot follow; use default or off"
            )
        self.check_compute(self.batch_size)

    def _check_targets(self) -> None:
        targets = read_targets(self.target or "")
        several = read_frontier(self.targets or "")
        if targets and several:
            raise ConfigError("targets: `target` is given too; give one of them")
        check_latency_table((*targets, *several), self.latency_table)

    @property
    def all_monitors(self) -> str | None:
        """`monitor`, with the one that `monitor_eigenvalue` is short for."""
        every = self.monitor_eigenvalue
        eigenvalue = f"eigenvalue,every={every}" if every else None
        return "+".join(filter(None, [self.monitor, eigenvalue])) or None


def _check_distinct(choices: Sequence[Choice], where: str) -> None:
    for index, choice in enumerate(choices):
        if choice in choices[:index]:
            raise ConfigError(f"{where}: {choice} is given twice; give it once")
