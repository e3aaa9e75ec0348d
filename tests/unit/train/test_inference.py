"""A trained network in one's own program: nas.load, prepare, predict."""

import subprocess
import sys

import pytest
import torch
from PIL import Image

import nas
from nas.config import AugmentConfig, resolved
from nas.data import load_dataset
from nas.data.from_config import eval_loader, load_split
from nas.errors import CheckpointError, DataError
from nas.genotype import load_genotype
from nas.runtime.checkpoint import write_checkpoint
from nas.runtime.compute import Compute
from nas.runtime.evaluation import evaluate
from nas.train.run import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished training run with a moving average and a held-out split."""
    out = tmp_path_factory.mktemp("inference") / "run"
    settings = {
        "genotype": "DARTS_V2",
        "init_channels": 2,
        "num_cells": 3,
        "dataset": "shapes",
        "max_images": 40,
        "batch_size": 8,
        "epochs": 1,
        "ema_decay": 0.5,
        "val_fraction": 0.2,
        "device": "cpu",
    }
    said = []
    result = train(AugmentConfig(out=str(out), **settings), announce=said.append)
    assert result.path == out and result.genotype == load_genotype("DARTS_V2")
    assert said[0].startswith("shapes: 32 training, 2000 test, 8 held-out images of (3, 32, 32)")
    return out


@pytest.fixture(scope="module")
def images():
    return load_dataset("shapes", split="test").images[:5]


def as_pil(image):
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def test_gives_the_results_of_the_run(run):
    """The loaded network, its preprocessing and its classes have the accuracy of the run."""
    network = nas.load(run)
    assert not network.training and network.image_size == 32
    config = resolved(AugmentConfig(dataset="shapes"))
    test = load_split(config, "test")
    assert network.class_names == test.info.class_names
    loader = eval_loader(test, torch.arange(len(test)), config, Compute(torch.device("cpu")))
    measured = evaluate(network, loader, test.info.num_classes)
    text = (run / "evaluation.json").read_text()
    assert f'"top1": {measured.top1}' in text


def test_images_in_every_form(run, images, tmp_path):
    """Tensors, PIL images and files of the same pixels are the same predictions."""
    network = nas.load(run / "checkpoints")
    expected = network(network.prepare(images)).softmax(1)
    paths = [tmp_path / f"{index}.png" for index in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        as_pil(image).save(path)
    for given in (images, list(images), [as_pil(i) for i in images], paths, map(str, paths)):
        predictions = network.predict(list(given) if isinstance(given, map) else given)
        for row, prediction in zip(expected, predictions, strict=True):
            best = int(row.argmax())
            assert prediction.class_name == network.class_names[best]
            assert prediction.probability == pytest.approx(row[best].item())
            assert list(prediction.probabilities.values()) == pytest.approx(
                row.sort(descending=True).values.tolist()
            )
            assert sum(prediction.probabilities.values()) == pytest.approx(1)
    for given in (images[0], as_pil(images[0]), paths[0], str(paths[0])):
        alone = network.predict(given)
        assert alone.probability == pytest.approx(expected[0].max().item())
        assert str(alone) == f"{alone.class_name} ({100 * alone.probability:.1f} %)"


def test_batches_change_nothing(run, images):
    network = nas.load(run)
    first, second = (network.predict(images, batch_size=size) for size in (2, 64))
    for one, other in zip(first, second, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities)


def test_best_checkpoint_and_average(run, images):
    """best.pt holds the measured weights; so does the run, whose average is used."""
    best, last = nas.load(run / "checkpoints/best.pt"), nas.load(run)
    assert torch.equal(best(best.prepare(images)), last(last.prepare(images)))
    assert best.source.endswith("best.pt")


def test_no_gradients_and_no_trace(run, images):
    network = nas.load(run)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.predict(images)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network(network.prepare(images)).requires_grad  # it is an ordinary module


def test_what_cannot_be_loaded(run, tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        nas.load(tmp_path / "absent.pt")
    write_checkpoint(tmp_path / "search.pt", {"alphas": {}, "epoch": 1})
    with pytest.raises(CheckpointError, match="it is of a search; train what it found first"):
        nas.load(tmp_path / "search.pt")
    write_checkpoint(tmp_path / "other.pt", {"epoch": 1})
    with pytest.raises(CheckpointError, match="give a checkpoint of a training run"):
        nas.load(tmp_path / "other.pt")
    with pytest.raises(DataError, match=r"torch.float32 and shape \(3, 8, 8\)"):
        nas.load(run).predict(torch.zeros(3, 8, 8))


def test_import_nas_is_light():
    """`import nas` does not import torch, and other names are still errors."""
    code = "import nas, sys; assert 'torch' not in sys.modules; nas.__version__; print(dir(nas))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "__version__" in done.stdout
    with pytest.raises(AttributeError, match="module 'nas' has no attribute 'absent'"):
        nas.absent  # noqa: B018
