"""CIFAR-10 and CIFAR-100, from the official archives.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

import contextlib
import http.client
import io
import socket
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.datasets import CIFAR10, CIFAR100
from torchvision.datasets.utils import check_integrity

from nas.data.image_sets import DatasetInfo, ImageSet
from nas.data.layout import is_file, is_folder
from nas.data.notices import say
from nas.data.splits import stratified_subset
from nas.errors import DataError
from nas.runtime.memory import check_fits

CIFAR10_INFO = DatasetInfo(
    name="cifar10",
    class_names=tuple("airplane automobile bird cat deer dog frog horse ship truck".split()),
    image_size=32,
    # Source: github.com/quark0/darts, cnn/utils.py.
    mean=(0.49139968, 0.48215827, 0.44653124),
    std=(0.24703233, 0.24348505, 0.26158768),
)

CIFAR100_INFO = DatasetInfo(
    name="cifar100",
    class_names=tuple(
        "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus "
        "butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach "
        "couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster "
        "house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree "
        "motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear "
        "pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road "
        "rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar "
        "sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip "
        "turtle wardrobe whale willow_tree wolf woman worm".split()
    ),
    image_size=32,
    # Measured on the 50,000 training images.
    mean=(0.50707516, 0.48654887, 0.44091784),
    std=(0.26733429, 0.25643846, 0.27615047),
)

_SOURCES = {"cifar10": (CIFAR10, CIFAR10_INFO), "cifar100": (CIFAR100, CIFAR100_INFO)}
_BINARY_FOLDERS = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}
_TIMEOUT_S = 20.0


def load_cifar(
    name: str, root: Path, *, split: str, image_size: int | None, max_images: int | None, seed: int
) -> ImageSet:
    """Read one split from the official archive under `root`; download it if it is absent."""
    source, info = _SOURCES[name]
    root = _outer_folder(name, source, root)
    with warnings.catch_warnings():
        # numpy 2.4.0 to 2.4.4 disapprove of pickles as old as these (pytorch/vision issue 9340).
        warnings.filterwarnings("ignore", message=r"dtype\(\): align should be passed")
        _ensure(name, source, root)
        dataset = source(str(root), train=split == "train", download=False)
    labels = torch.tensor(dataset.targets, dtype=torch.int64)
    images = torch.from_numpy(np.ascontiguousarray(dataset.data.transpose(0, 3, 1, 2)))
    if max_images is not None:
        chosen = stratified_subset(labels, max_images, seed)
        images, labels = images[chosen], labels[chosen]
    if image_size is not None and image_size != info.image_size:
        check_fits(len(images), info.channels, image_size)
        images, info = _resize(images, image_size), info.at_size(image_size)
    return ImageSet(info, images, labels)


def _outer_folder(name: str, source: type[CIFAR10], root: Path) -> Path:
    """Return the folder that holds the folder of the archive.

    Raises:
        DataError: `root` holds something else that is easy to recognize.
    """
    files = [file for file, _ in source.train_list]
    if any(is_file(root / file) for file in files) and not (root / source.base_folder).exists():
        if root.resolve().name == source.base_folder:
            say(f"{root}: is the inner folder of {name}; the folder above it is used")
            return root.resolve().parent
        if name == "cifar10":  # the one file of CIFAR-100 has the name of any folder, `train`
            raise DataError(
                f"data: {root} holds the files of {name}, but must be named {source.base_folder}; "
                "rename it"
            )
    if not (root / source.base_folder).exists():
        if is_folder(root / "train") and is_folder(root / "test"):
            raise DataError(
                f"data: {root} holds the folders train and test, but no {source.base_folder}; for "
                "images in folders give `dataset` imagefolder"
            )
        if is_folder(root / _BINARY_FOLDERS[name]):
            raise DataError(
                f"data: {root} holds the binary version of {name}; the Python version is needed, "
                f"{source.filename} from {source.url}"
            )
    return root


def _ensure(name: str, source: type[CIFAR10], root: Path) -> None:
    """Check the folder under `root`; unpack or download the archive where there is none."""
    folder, archive = root / source.base_folder, root / source.filename
    if not folder.exists():
        _fetch(name, source, root)
    files = [*source.train_list, *source.test_list, [source.meta["filename"], source.meta["md5"]]]
    try:
        damaged = [file for file, md5 in files if not check_integrity(folder / file, md5)]
    except OSError as cause:
        raise DataError(f"{folder}: cannot be read ({cause.strerror})") from cause
    if damaged:
        raise DataError(
            f"{folder}: missing or damaged: {', '.join(damaged)}; delete the folder, then run "
            f"again with {archive} from {source.url} in place or with a network connection"
        )


def _fetch(name: str, source: type[CIFAR10], root: Path) -> None:
    """Download and unpack, or say how to do it by hand; the progress bar goes to stderr."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_S)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # older torchvisions print
            source(str(root), train=True, download=True)
    # torchvision raises RuntimeError on a wrong checksum, tarfile and urllib the others.
    except (OSError, EOFError, RuntimeError, http.client.HTTPException) as cause:
        raise DataError(
            f"data: there is no folder {root / source.base_folder}, and {source.url} could not be "
            f"downloaded ({cause}); download {source.filename} by other means and put it in "
            f"{root}, or use `dataset` shapes, which needs no files"
        ) from cause
    finally:
        socket.setdefaulttimeout(before)


def _resize(images: Tensor, size: int) -> Tensor:
    """Resize uint8 (N, C, H, W) a thousand images at a time; bilinear, antialiased."""
    output = images.new_empty((*images.shape[:2], size, size))
    for part, resized in zip(images.split(1000), output.split(1000), strict=True):
        resized.copy_(F.interpolate(part, size=(size, size), mode="bilinear", antialias=True))
    return output
