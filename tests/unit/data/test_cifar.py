"""CIFAR-10 and CIFAR-100 from small archives that are laid out as the official ones."""

import hashlib
import pickle
import tarfile
import urllib.error
import urllib.request
import warnings

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision.datasets import CIFAR10, CIFAR100

from nas.data import load_dataset
from nas.data.cifar import CIFAR10_INFO, CIFAR100_INFO
from nas.errors import DataError

BATCHES = [f"data_batch_{index}" for index in range(1, 6)]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Let every connection fail as it does without a network."""

    def refuse(*_args, **_kwargs):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


def pickled(labels_key, num, seed):
    """Return some images and a batch file that holds them."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (num, 3072), dtype=np.uint8)
    batch = {"data": images, labels_key: [index % 10 for index in range(num)]}
    return images.reshape(-1, 3, 32, 32), pickle.dumps(batch, protocol=2)


def write(folder, monkeypatch, source, files, meta):
    """Write the files and let torchvision expect their checksums."""
    folder.mkdir(parents=True)
    for name, content in {**files, source.meta["filename"]: meta}.items():
        (folder / name).write_bytes(content)

    def listed(names):
        return [[name, hashlib.md5(files[name]).hexdigest()] for name in names]

    monkeypatch.setattr(
        source, "train_list", listed([name for name in files if "test" not in name])
    )
    monkeypatch.setattr(source, "test_list", listed([name for name in files if "test" in name]))
    checksum = hashlib.md5(meta).hexdigest()
    monkeypatch.setattr(source, "meta", {**source.meta, "md5": checksum})


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    """Lay out five training batches of 20 and one test batch of 10 images."""
    parts = {name: pickled("labels", 20, seed) for seed, name in enumerate(BATCHES)}
    parts["test_batch"] = pickled("labels", 10, 9)
    meta = pickle.dumps({"label_names": list(CIFAR10_INFO.class_names)})
    files = {name: content for name, (_, content) in parts.items()}
    write(tmp_path / "cifar-10-batches-py", monkeypatch, CIFAR10, files, meta)
    return tmp_path, {name: torch.from_numpy(images) for name, (images, _) in parts.items()}


def pack(root, monkeypatch):
    """Return another root that holds nothing but the archive of the folder."""
    other = root / "other"
    other.mkdir()
    archive = other / CIFAR10.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root / "cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    return other


def test_cifar10_is_read_as_it_lies(cifar10):
    """Both splits come out in file order, pixels and labels unchanged."""
    root, parts = cifar10
    train = load_dataset("cifar10", root, split="train")
    assert torch.equal(train.images, torch.cat([parts[name] for name in BATCHES]))
    assert train.labels.tolist() == [index % 10 for index in range(20)] * 5
    assert train.info == CIFAR10_INFO
    test = load_dataset("cifar10", str(root), split="test")
    assert torch.equal(test.images, parts["test_batch"])


def test_cifar100_is_read_as_it_lies(tmp_path, monkeypatch):
    """The fine labels are taken, and the class names are those of the official archive."""
    images, train = pickled("fine_labels", 30, 0)
    _, test = pickled("fine_labels", 10, 1)
    meta = pickle.dumps({"fine_label_names": list(CIFAR100_INFO.class_names)})
    files = {"train": train, "test": test}
    write(tmp_path / "cifar-100-python", monkeypatch, CIFAR100, files, meta)
    data = load_dataset("cifar100", tmp_path, split="train")
    assert torch.equal(data.images, torch.from_numpy(images))
    assert data.info.num_classes == 100
    assert list(data.info.class_names) == sorted(set(data.info.class_names))


@pytest.mark.parametrize("place", ["folder", "archive"])
def test_numpy_s_warning_about_old_pickles_is_kept_from_the_user(cifar10, monkeypatch, place):
    """What numpy 2.4.0 to 2.4.4 say of the official archives is not shown (or raised)."""
    root, _ = cifar10
    if place == "archive":
        root = pack(root, monkeypatch)
    real, warned = pickle.load, []

    def load(*args, **kwargs):
        warned.append(True)
        warnings.warn("dtype(): align should be passed as Python or NumPy boolean", stacklevel=2)
        return real(*args, **kwargs)

    monkeypatch.setattr(pickle, "load", load)
    assert len(load_dataset("cifar10", root, split="train")) == 100
    assert warned


def test_training_never_unpickles_the_test_batch(cifar10, monkeypatch):
    """The training split is read although the test batch cannot be."""
    root, _ = cifar10
    (root / "cifar-10-batches-py" / "test_batch").write_bytes(b"no pickle")
    checksum = hashlib.md5(b"no pickle").hexdigest()
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", checksum]])
    assert len(load_dataset("cifar10", root, split="train")) == 100
    with pytest.raises(pickle.UnpicklingError):
        load_dataset("cifar10", root, split="test")


def test_max_images_is_stratified(cifar10):
    """A part has some images of each class, with their labels."""
    root, parts = cifar10
    data = load_dataset("cifar10", root, split="train", max_images=30, seed=1)
    assert data.labels.bincount().tolist() == [3] * 10
    full = torch.cat([parts[name] for name in BATCHES])
    for image, label in zip(data.images, data.labels.tolist(), strict=True):
        (place,) = (full == image).all((1, 2, 3)).nonzero().flatten().tolist()
        assert place % 10 == label


def test_another_size_is_resized(cifar10):
    """Asking for 16 pixels gives the antialiased resize, and says so in the info."""
    root, parts = cifar10
    data = load_dataset("cifar10", root, split="test", image_size=16)
    exact = F.interpolate(parts["test_batch"].double(), (16, 16), mode="bilinear", antialias=True)
    assert data.info == CIFAR10_INFO.at_size(16)
    assert (data.images.double() - exact).abs().max() <= 1


def test_no_folder_and_no_network(tmp_path, capfd):
    """Without both, one line says what to put where and what runs offline; nothing is printed."""
    with pytest.raises(DataError) as caught:
        load_dataset("cifar10", tmp_path / "data", split="train")
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        f"{tmp_path}/data/cifar-10-batches-py",
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        f"put it in {tmp_path}/data",
        "`dataset` shapes",
    ):
        assert part in message
    assert capfd.readouterr() == ("", "")


def test_an_archive_in_place_is_unpacked(cifar10, monkeypatch):
    """What the error advises works: the archive in the root is enough, without a network."""
    root, parts = cifar10
    data = load_dataset("cifar10", pack(root, monkeypatch), split="test")
    assert torch.equal(data.images, parts["test_batch"])


@pytest.mark.parametrize("damage", ["missing", "changed", "folder"])
def test_a_half_folder(cifar10, damage):
    """A missing or damaged file of the folder is named, with what to do."""
    root, _ = cifar10
    path = root / "cifar-10-batches-py" / "data_batch_3"
    if damage == "changed":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    if damage == "folder":
        path.mkdir()
    with pytest.raises(
        DataError, match=r"cifar-10-batches-py: missing or damaged: data_batch_3; delete the folder"
    ):
        load_dataset("cifar10", root, split="train")


def test_the_inner_folder_is_understood(cifar10, monkeypatch, caplog):
    """`data` may name the folder with the batches, also as a relative path, and it is said."""
    root, parts = cifar10
    caplog.set_level("INFO", "nas")
    test = load_dataset("cifar10", root / "cifar-10-batches-py", split="test")
    assert torch.equal(test.images, parts["test_batch"])
    assert "is the inner folder of cifar10; the folder above it is used" in caplog.text
    monkeypatch.chdir(root / "cifar-10-batches-py")
    assert torch.equal(load_dataset("cifar10", ".", split="test").images, parts["test_batch"])


def test_the_inner_folder_of_cifar100_is_understood(tmp_path, monkeypatch):
    images, train = pickled("fine_labels", 30, 0)
    files = {"train": train, "test": pickled("fine_labels", 10, 1)[1]}
    meta = pickle.dumps({"fine_label_names": list(CIFAR100_INFO.class_names)})
    write(tmp_path / "cifar-100-python", monkeypatch, CIFAR100, files, meta)
    data = load_dataset("cifar100", tmp_path / "cifar-100-python", split="train")
    assert torch.equal(data.images, torch.from_numpy(images))


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["train", "test"], "holds the folders train and test, but no cifar-10-batches-py; for"),
        (["cifar-10-batches-bin"], "holds the binary version of cifar10; the Python version is"),
    ],
)
def test_other_folders_are_not_a_reason_to_download(tmp_path, folders, message):
    for name in folders:
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=message):
        load_dataset("cifar10", tmp_path, split="train")


def test_a_renamed_inner_folder(cifar10):
    root, _ = cifar10
    (root / "cifar-10-batches-py").rename(root / "mine")
    with pytest.raises(DataError, match=r"mine holds .* must be named cifar-10-batches-py; rename"):
        load_dataset("cifar10", root / "mine", split="train")
