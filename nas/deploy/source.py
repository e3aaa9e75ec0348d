"""A network from a text: a checkpoint, or a name with settings such as `DARTS_V2,num_cells=8`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from nas.config.network_size import NETWORK_SIZES
from nas.data.cifar import CIFAR10_INFO, CIFAR100_INFO
from nas.data.imagefolder import IMAGENET_MEAN, IMAGENET_STD
from nas.data.imagenet import DEFAULT_SIZE
from nas.data.shapes.dataset import SHAPES
from nas.deploy.images import sample_images
from nas.deploy.metadata import NO_DATASET, VOC, Metadata
from nas.deploy.named import DATASETS, split_name
from nas.errors import CheckpointError, ConfigError, GenotypeError, close_matches, shown
from nas.genotype import Chain, load_chain, load_genotype
from nas.genotype.chain import names_chain
from nas.models import load_weights
from nas.models.description import build_model, found_in
from nas.models.detection import (
    IMAGE_SIZE,
    TrainedDetector,
    build_detector,
    detector_of,
)
from nas.models.from_checkpoint import build_described, part_of, read_described
from nas.operators import resolve_genotype
from nas.strict_yaml import is_directory, is_file

_GENOTYPE_SETTINGS = (
    "num_cells",
    "init_channels",
    "num_classes",
    "in_channels",
    "auxiliary",
    "stem",
)
_CHAIN_SETTINGS = ("num_classes", "in_channels", "identity_ratio", "dropout")
_INFOS = {info.name: info for info in (CIFAR10_INFO, CIFAR100_INFO, SHAPES)}
_CHECKPOINT_SUFFIXES = (".pt", ".pth", ".tar")
_DETECTOR = "ssdlite320"
"""What the name of a detector begins with."""
_NUM_FOR_DETECTOR = 64
"""Images whose statistics a detector by name gets; its last level has one value of each."""


@dataclass(frozen=True)
class Source:
    """A network and what is known of it."""

    name: str
    """As the user wrote it."""
    net: nn.Module
    """Of a detector, the network with raw outputs."""
    metadata: Metadata
    data: str | None
    """The folder of the images that it was trained on; None where it is not known."""


def read_source(text: str, image_size: int | None = None, plugins: tuple[str, ...] = ()) -> Source:
    """Build the network that a text names.

    Args:
        text: A checkpoint of a training, its run directory, or a name with settings, such as
            "mobilenext_1.0,identity_ratio=1/2", "mobilenext_1.0,weights=model_best.pth.tar",
            "DARTS_V2,weights=cells.pt,dataset=cifar10", "genotype.json,num_cells=8",
            "network.json,num_classes=10" or "ssdlite320_mobilenext,num_classes=20".
        image_size: Height and width in pixels; None takes that of the checkpoint or of `dataset`,
            else that of the search of a chain, 224 for a name and 32 for a genotype with the cifar
            stem. A checkpoint's cannot be changed.
        plugins: Modules or .py files with operators of a genotype.

    Raises:
        CheckpointError: The checkpoint cannot be used.
        ConfigError: The name or a setting is unknown, or the size has no effect.
    """
    path = Path(text)
    if is_checkpoint(text):
        if image_size is not None:
            raise ConfigError(
                f"image_size: {text} fixes it to the size it was trained at; leave it out"
            )
        return _from_checkpoint(text, path, plugins)
    if text.startswith(_DETECTOR):
        return _detector_by_name(text, image_size)
    return _from_name(text, image_size, plugins)


def check_plugins(sources: Sequence[Source], plugins: tuple[str, ...]) -> None:
    """Raise ConfigError where plug-ins are named and no network has a genotype to use them."""
    if plugins and not any("genotype" in source.metadata.model for source in sources):
        names = ", ".join(source.name for source in sources)
        raise ConfigError(
            f"plugins: have an effect only on a network of a genotype, found {names}; leave it out"
        )


def is_checkpoint(text: str) -> bool:
    """Whether a text names a file or a run directory, and no network by name."""
    path = Path(text)
    if is_file(path) or is_directory(path):  # a genotype as text is too long to be a path
        return path.suffix != ".json"
    return text.endswith(_CHECKPOINT_SUFFIXES) and "=" not in text


def _from_checkpoint(text: str, path: Path, plugins: tuple[str, ...]) -> Source:
    state, where = read_described(path)
    if "detector" in state:
        return _trained_detector(text, path, detector_of(state, where))
    config = part_of(state, "config", where)
    net = build_described(state, where, plugins)
    dataset = config.get("dataset")
    image_size = config.get("image_size") or _default_size(dataset)
    if not isinstance(dataset, str) or not isinstance(image_size, int):
        raise CheckpointError(f"{where}: does not say the size of its images; give another one")
    mean, std = _normalization(dataset)
    metadata = Metadata(
        model=part_of(state, "model", where),
        weights=_name_of_weights(where, path),
        classes=part_of(state, "classes", where, list),
        dataset=dataset,
        image_size=image_size,
        mean=mean,
        std=std,
    )
    return Source(text, net, metadata, config.get("data"))


def _name_of_weights(where: str, path: Path) -> str:
    return Path(where).name if Path(where).is_file() else f"newest of {path.name}"


def _trained_detector(text: str, path: Path, trained: TrainedDetector) -> Source:
    description = {"detector": trained.name, "num_classes": len(trained.classes)}
    kept = ("train_split", "test_split", "skip_corrupt")
    description |= {name: trained.config[name] for name in kept if name in trained.config}
    metadata = _metadata_of_detector(
        description, _name_of_weights(trained.where, path), list(trained.classes), VOC
    )
    return Source(text, trained.net.without_postprocessing(), metadata, None)


def _detector_by_name(text: str, image_size: int | None) -> Source:
    name, settings = split_name(text)
    if image_size not in (None, IMAGE_SIZE):
        raise ConfigError(
            f"image_size: a detector has {IMAGE_SIZE}, found {image_size}; leave it out"
        )
    for key in settings:
        if key != "num_classes":
            raise ConfigError(
                f"{shown(text)}: {shown(key)} is no setting of a detector by name; allowed is "
                "num_classes; give a run directory for a trained detector"
            )
    num_classes = settings.get("num_classes", 20)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the same network each time
        net = build_detector(name, num_classes)
        metadata = _metadata_of_detector(
            {"detector": name, "num_classes": num_classes}, "random", None, NO_DATASET
        )
        update_bn([sample_images(metadata, _NUM_FOR_DETECTOR)], net)
    return Source(text, net.eval().without_postprocessing(), metadata, None)


def _metadata_of_detector(
    description: dict[str, Any], weights: str, classes: list[str] | None, dataset: str
) -> Metadata:
    mean, std = _normalization(dataset)
    return Metadata(description, weights, classes, dataset, IMAGE_SIZE, mean, std)


def _from_name(text: str, image_size: int | None, plugins: tuple[str, ...]) -> Source:
    name, settings = split_name(text)
    weights, dataset = settings.pop("weights", None), settings.pop("dataset", None)
    description = _describe(text, name, settings, plugins)
    is_cifar = description.get("stem") == "cifar"
    own_size = _size_of_chain(description)
    if weights and not dataset and (is_cifar or description["num_classes"] != 1000):
        raise ConfigError(
            f"{shown(text)}: weights={weights} are of a network that is not ImageNet's; say what "
            f"they were trained on with dataset=, one of {', '.join(DATASETS)}"
        )
    dataset = dataset or ("imagenet" if weights else NO_DATASET)
    info = _INFOS.get(dataset)
    if info is not None and settings.get("num_classes", info.num_classes) != info.num_classes:
        raise ConfigError(
            f"{shown(text)}: num_classes: found {settings['num_classes']}, but {dataset} has "
            f"{info.num_classes}; leave one of them out"
        )
    if info is not None:
        description["num_classes"] = info.num_classes
    mean, std = _normalization(dataset)
    metadata = Metadata(
        model=description,
        weights=Path(weights).name if weights else "random",
        classes=list(info.class_names) if info else None,
        dataset=dataset,
        image_size=image_size or own_size or (32 if is_cifar else _default_size(dataset)),
        mean=mean,
        std=std,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # a name with random weights is the same network each time
        net = build_model(description)
        if weights is None:
            # Without its own statistics a deep network lets its activations fade to denormals,
            # which are slow, and to logits that any two programs agree on.
            update_bn([sample_images(metadata, _num_images_for_norms(metadata))], net)
    if weights is not None:
        load_weights(net, weights)
    return Source(text, net, metadata, None)


def _size_of_chain(description: dict[str, Any]) -> int | None:
    """Return the size of the images that a chain was searched on; None for other networks."""
    found = found_in(dict(description), "the description")
    return found.image_size if isinstance(found, Chain) else None


def _num_images_for_norms(metadata: Metadata) -> int:
    """At least 8, and enough for 64 values of a channel where a mobile network divides by 32.

    From eight values a variance may be so small that what is divided by it is mostly rounding.
    """
    is_mobile = "genotype" not in metadata.model
    pixels = (metadata.image_size // 32) ** 2 if is_mobile else 64
    return max(8, -(-64 // max(1, pixels)))


def _describe(
    text: str, name: str, settings: dict[str, Any], plugins: tuple[str, ...]
) -> dict[str, Any]:
    """Describe a network by name, of a chain or of a genotype, for `build_model`."""
    if names_chain(name):
        _check_settings(text, settings, _CHAIN_SETTINGS, "chain")
        return {"network": load_chain(name).to_json(), "num_classes": 1000, **settings}
    try:
        genotype = load_genotype(name)
    except GenotypeError:
        if "(" in name or "{" in name:
            raise
        return {"model": name, "num_classes": 1000, **settings}
    _check_settings(text, settings, _GENOTYPE_SETTINGS, "genotype")
    resolve_genotype(genotype, plugins)
    defaults = {"auxiliary": False, "stem": settings.get("stem", "cifar")}
    defaults |= NETWORK_SIZES[str(defaults["stem"])]._asdict()
    defaults["num_classes"] = 10 if defaults["stem"] == "cifar" else 1000
    return {"genotype": genotype.to_json(), **defaults, **settings}


def _default_size(dataset: Any) -> int:
    return _INFOS[dataset].image_size if dataset in _INFOS else DEFAULT_SIZE


def _normalization(dataset: str) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel."""
    if dataset in _INFOS:
        return list(_INFOS[dataset].mean), list(_INFOS[dataset].std)
    return list(IMAGENET_MEAN), list(IMAGENET_STD)


def _check_settings(text: str, settings: dict[str, Any], allowed: Sequence[str], what: str) -> None:
    """Raise ConfigError if the network of a genotype or chain does not have a setting."""
    for name in settings:
        if name not in allowed:
            raise ConfigError(
                f"{shown(text)}: {shown(name)} is no setting of a {what}'s network; "
                f"{close_matches(name, allowed)}"
            )
