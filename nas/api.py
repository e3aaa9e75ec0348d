"""The package from Python: search for cells, train a network, use it.

    from nas.api import load, search, train

    searched = search("darts+sandglass", dataset="shapes", epochs=5, out="runs/cells")
    print(searched.genotype.to_text())
    trained = train(searched.genotype, dataset="shapes", epochs=10, out="runs/network")
    print(trained.evaluation.top1)

    network = load("runs/network")
    print(network.predict("photo.jpg"))           # for example: circle (97.1 %)
    print(network.predict([image, other_image]))  # PIL images, paths or uint8 tensors
    logits = network(network.prepare("photo.jpg"))

Settings have the names of the flags of the programs and the same defaults. `nas.load` is `load`.
"""

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

from nas.config import Arguments, AugmentConfig, Layer, SearchConfig
from nas.errors import ConfigError, close_matches, shown
from nas.genotype import Chain, Genotype
from nas.genotype.chain import names_chain
from nas.models.factory import MODEL_FAMILIES
from nas.search.frontier import FrontierResult
from nas.search.frontier import search_frontier as run_frontier
from nas.search.run import SearchResult
from nas.search.run import search as run_search
from nas.train.inference import Prediction, TrainedNetwork
from nas.train.inference import load_trained as load
from nas.train.run import TrainResult
from nas.train.run import train as run_train

__all__ = [
    "FrontierResult",
    "Prediction",
    "SearchResult",
    "TrainResult",
    "TrainedNetwork",
    "load",
    "search",
    "search_frontier",
    "train",
]

Settings = TypeVar("Settings", SearchConfig, AugmentConfig)


def search(space: str | Path | None = None, *, out: str | Path, **settings: Any) -> SearchResult:
    """Search for cells.

    Args:
        space: The search space, such as "darts" or "darts+sandglass", or the path of a file.
        out: The run directory, which is created. With `resume=True` and no other setting the run
            in it is continued.
        **settings: Settings of `SearchConfig`, such as `dataset`, `epochs` or `batch_size`.

    Returns:
        The cells as `genotype` and the run directory as `path`.

    Raises:
        NasError: A setting is wrong, or something else that the user can fix; the message says how.
    """
    given = settings if space is None else {"space": str(space), **settings}
    return run_search(_config(SearchConfig, out, given))


def search_frontier(
    space: str | Path | None = None, *, out: str | Path, **settings: Any
) -> FrontierResult:
    """Search a network of a chain for each of several costs, from one supernet.

    The arguments are those of `search`, with `targets`, such as "madds=150e6,200e6,300e6".

    Returns:
        The networks, their accuracies in the supernet, and the run directory as `path`.

    Raises:
        NasError: A setting is wrong, or something else that the user can fix; the message says how.
    """
    given = settings if space is None else {"space": str(space), **settings}
    config = _config(SearchConfig, out, given)
    if config.targets is None:
        raise ConfigError("targets: expected such as madds=150e6,200e6,300e6, found None")
    return run_frontier(config)


def train(
    network: Genotype | Chain | str | Path | None = None, *, out: str | Path, **settings: Any
) -> TrainResult:
    """Train a network from scratch, or from `weights`, and measure it on the test images.

    Args:
        network: A genotype, the name of a published one ("DARTS_V2"), the run directory of a
            search, a network of a chain or the path of its network.json, or the name of a network
            ("mobilenext_1.0").
        out: The run directory, which is created. With `resume=True` and no other setting the run
            in it is continued.
        **settings: Settings of `AugmentConfig`, such as `dataset`, `epochs` or `weights`.

    Returns:
        The result on the test images as `evaluation` and the run directory as `path`, which `load`
        reads.

    Raises:
        NasError: A setting is wrong, or something else that the user can fix; the message says how.
    """
    config = _config(AugmentConfig, out, _network(network) | settings)
    return run_train(config, found=network if isinstance(network, Genotype | Chain) else None)


def _network(network: Genotype | Chain | str | Path | None) -> dict[str, str]:
    """Return the setting that names a network."""
    if network is None:
        return {}
    if isinstance(network, Chain):
        return {"network": network.to_json()}
    text = network.to_text(nested=True) if isinstance(network, Genotype) else str(network)
    if text.rpartition("_")[0] in MODEL_FAMILIES:
        return {"model": text}
    return {"network" if names_chain(text) else "genotype": text}


def _config(kind: type[Settings], out: str | Path, given: dict[str, Any]) -> Settings:
    """Check settings and return the record of them."""
    known = {field.name for field in dataclasses.fields(kind)} - {"evaluate", "out"}
    for name in given:
        if name not in known:
            raise ConfigError(f"{name}: unknown setting; {close_matches(name, sorted(known))}")
    values = {name: str(v) if isinstance(v, Path) else v for name, v in given.items()}
    if not values.pop("resume", False):
        return Arguments(kind, (Layer("", {**values, "out": str(out)}),)).make()
    saved = Path(out) / "config.yaml"
    if not saved.is_file():
        raise ConfigError(f"resume: {out} holds no run (no config.yaml); leave `resume` out")
    if values:
        raise ConfigError(
            f"resume: the run in {shown(str(out))} keeps its settings; leave "
            f"{', '.join(f'`{name}`' for name in values)} out"
        )
    config = Arguments(kind, ()).make(saved)
    return dataclasses.replace(config, out=str(out), resume=True)
