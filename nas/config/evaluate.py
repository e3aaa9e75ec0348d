"""The settings that measuring a trained network needs; training has them too."""

from dataclasses import dataclass

from nas.config.compute import ComputeConfig
from nas.config.fields import setting
from nas.config.target import targets_to_text


@dataclass(frozen=True)
class EvaluateConfig(ComputeConfig):
    """Settings of measuring a trained network on the test images of a dataset."""

    evaluate: str | None = setting(None, group="run", is_path=True)
    """Measure this checkpoint, or the newest one of this run directory, and train nothing."""
    genotype: str | None = setting(None, group="network", is_path=True)
    """Published name, genotype.json, run directory of a search, text, or random:SEED."""
    model: str | None = setting(None, group="network")
    """A network by name, such as mobilenext_1.0, instead of a genotype."""
    network: str | None = setting(None, group="network", is_path=True)
    """Network of a chain, instead of a genotype: network.json, run directory of a search, or
    random:SEED, a random network of `space` that meets `target`."""
    target: str | None = setting(None, group="network", convert=targets_to_text)
    """Cost of `network` random:SEED, such as madds=200e6, parameters=2e6 or latency_ms=12, met
    within 3 % at the image size and for the classes of the dataset; null draws from all
    networks."""
    latency_table: str | None = setting(None, group="network", is_path=True)
    """File that `nas latency` wrote for the chain; for a target of latency_ms."""
    width_mult: float | None = setting(None, above=0, maximum=10, group="network")
    """Width multiplier of `network` random:SEED; null is that of the space."""
    ema_weights: bool = setting(False, group="network")
    """Use the moving average of the weights that the checkpoint also holds."""
    identity_ratio: str | None = setting(None, group="network")
    """Identity tensor multiplier, such as 1/2; only with `model` mobilenext_... or `network`."""
    space: str | None = setting(None, group="network", is_path=True)
    """Space of random:SEED (null is darts, or mobilenext_chain for `network`); for another
    genotype or network, the space it must come from."""
    plugins: tuple[str, ...] = setting((), group="network", is_path=True)
    """Modules or .py files that register more operators."""
    dataset: str = setting("cifar10", group="data")
    """cifar10, cifar100, imagenet, imagefolder or shapes (drawn by the program; needs no files)."""
    data: str = setting("data", group="data", is_path=True)
    """Folder of the dataset."""
    image_size: int | None = setting(None, minimum=8, maximum=1024, group="data")
    """Height and width in pixels; null uses the size of the dataset, 224 for imagenet."""
    skip_corrupt: bool = setting(False, group="data")
    """Leave out images that cannot be read, and list them. By default one is an error. Only for
    images in files."""
    out: str | None = setting(None, group="run", is_path=True)
    """Folder to write to."""
    eval_batch_size: int = setting(250, minimum=1, group="arithmetic")
    """Images per batch when measuring; changes memory and speed, not results."""
