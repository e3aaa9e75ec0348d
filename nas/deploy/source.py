"""What the command line names: a checkpoint, or a network by name, built and described."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim.swa_utils import update_bn

from nas.cli.augment_model import build_model
from nas.cli.described import build_described, part_of, read_described
from nas.data.cifar import CIFAR10_INFO, CIFAR100_INFO
from nas.data.imagefolder import IMAGENET_MEAN, IMAGENET_STD
from nas.data.imagenet import DEFAULT_SIZE
from nas.data.shapes import SHAPES
from nas.deploy.images import sample_images
from nas.deploy.metadata import Metadata
from nas.errors import CheckpointError, ConfigError, GenotypeError, shown
from nas.genotype import load_genotype
from nas.models import load_weights
from nas.operators import resolve_genotype

_INFOS = {info.name: info for info in (CIFAR10_INFO, CIFAR100_INFO, SHAPES)}
_OF_CHECKPOINTS = (".pt", ".pth", ".tar")
_NUMBERS = ("num_classes", "init_channels", "num_cells", "in_channels")


@dataclass(frozen=True)
class Source:
    """A network and what is known of it."""

    name: str
    """As the user wrote it."""
    net: nn.Module
    metadata: Metadata
    data: str | None
    """The folder of the images that it was trained on; None where it is not known."""


def read_source(text: str, image_size: int | None = None, plugins: tuple[str, ...] = ()) -> Source:
    """Build the network that a text names.

    Args:
        text: A checkpoint of augment.py, its run directory, or a name with settings, such as
            "mobilenext_1.0,identity_ratio=1/2", "mobilenext_1.0,weights=model_best.pth.tar",
            "DARTS_V2,num_cells=20,init_channels=36" or "genotype.json,num_cells=8".
        image_size: Height and width, pixels; None is that of the checkpoint, 224 for a name, or 32
            for a genotype with the cifar stem. A checkpoint's cannot be changed.
        plugins: Modules or .py files with operators of a genotype.

    Raises:
        CheckpointError: The checkpoint cannot be used.
        ConfigError: The name or a setting is unknown.
    """
    path = Path(text)
    is_genotype = path.suffix == ".json"
    if (path.exists() and not is_genotype) or (text.endswith(_OF_CHECKPOINTS) and "=" not in text):
        if image_size is not None:
            raise ConfigError(
                f"--image_size: {text} fixes it: the size it was trained at; leave the flag out"
            )
        return _from_checkpoint(text, path, plugins)
    return _from_name(text, image_size, plugins)


def _from_checkpoint(text: str, path: Path, plugins: tuple[str, ...]) -> Source:
    state, where = read_described(path)
    config = part_of(state, "config", where)
    net = build_described(state, where, plugins)
    dataset = config.get("dataset")
    image_size = config.get("image_size") or _default_size(dataset)
    if not isinstance(dataset, str) or not isinstance(image_size, int):
        raise CheckpointError(f"{where}: does not say the size of its images; give another one")
    mean, std = _normalisation(dataset)
    metadata = Metadata(
        model=part_of(state, "model", where),
        weights=Path(where).name if Path(where).is_file() else f"newest of {path.name}",
        classes=part_of(state, "classes", where, list),
        dataset=dataset,
        image_size=image_size,
        mean=mean,
        std=std,
    )
    return Source(text, net, metadata, config.get("data"))


def _from_name(text: str, image_size: int | None, plugins: tuple[str, ...]) -> Source:
    name, *pairs = text.split(",")
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key or not value:
            raise ConfigError(
                f"{shown(text)}: expected NAME,SETTING=VALUE,..., found {shown(pair)}; as in "
                "mobilenext_1.0,identity_ratio=1/2"
            )
        settings[key] = _number(key, value, text) if key in _NUMBERS else value
    weights = settings.pop("weights", None)
    description, size = _describe(name, settings, plugins)
    try:
        net = build_model(description)
    except TypeError as cause:
        raise ConfigError(f"{shown(text)}: {cause}; see docs/deploy.md") from cause
    if weights is not None:
        load_weights(net, weights)
    mean, std = _normalisation("imagenet")
    metadata = Metadata(
        model=description,
        weights=Path(weights).name if weights else "random",
        classes=None,
        dataset="imagenet",
        image_size=image_size or size,
        mean=mean,
        std=std,
    )
    if weights is None:
        # Without statistics of its own a deep network lets its activations fade to denormals,
        # which are slow, and to logits that any two programs agree on.
        update_bn([sample_images(metadata, _NUM_IMAGES_FOR_NORMS)], net)
    return Source(text, net, metadata, None)


_NUM_IMAGES_FOR_NORMS = 8


def _describe(
    name: str, settings: dict[str, Any], plugins: tuple[str, ...]
) -> tuple[dict[str, Any], int]:
    """Return the description of a network by name or of a genotype, and its usual image size."""
    try:
        genotype = load_genotype(name)
    except GenotypeError:
        return {"model": name, "num_classes": 1000, **settings}, DEFAULT_SIZE
    resolve_genotype(genotype, plugins)
    is_cifar = settings.get("stem", "cifar") == "cifar"
    defaults = {"auxiliary": False, "init_channels": 36 if is_cifar else 48}
    defaults["num_cells"] = 20 if is_cifar else 14
    defaults["num_classes"] = 10 if is_cifar else 1000
    return {"genotype": genotype.to_json(), **defaults, **settings}, 32 if is_cifar else 224


def _number(key: str, value: str, text: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ConfigError(
            f"{shown(text)}: {key}: expected a whole number, found {shown(value)}"
        ) from None


def _default_size(dataset: Any) -> int | None:
    return _INFOS[dataset].image_size if dataset in _INFOS else DEFAULT_SIZE


def _normalisation(dataset: str) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel."""
    if dataset in _INFOS:
        return list(_INFOS[dataset].mean), list(_INFOS[dataset].std)
    return list(IMAGENET_MEAN), list(IMAGENET_STD)
