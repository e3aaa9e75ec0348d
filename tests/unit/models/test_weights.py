"""Checkpoints as other programs leave them: what is read, and what is refused and why."""

import argparse
import logging
import os
import re
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path, PosixPath

import numpy
import pytest
import safetensors.torch
import torch

from nas.errors import CheckpointError
from nas.genotype import load_genotype
from nas.models import GenotypeNetwork, build_network, load_weights
from nas.runtime.checkpoint import save_checkpoint, write_checkpoint
from tests.unit.models.darts_network import DartsNetwork

DOCUMENT = Path(__file__).parents[3] / "docs/checkpoints.md"


def network(seed=0, name="mobilenext_0.05", num_classes=3):
    torch.manual_seed(seed)
    return build_network(name, num_classes=num_classes)


def same(model, state):
    own = model.state_dict()
    return own.keys() == state.keys() and all(torch.equal(own[k], state[k]) for k in state)


@pytest.fixture(scope="module")
def saved():
    return network(seed=1).state_dict()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model_best.pth.tar"


def with_prefix(prefix):
    return lambda state: {prefix + key: tensor for key, tensor in state.items()}


def of_released(state):
    """What the saver of the authors' checkpoints writes."""
    args = argparse.Namespace(model="mobilenext", lr=0.1, data=None, decay_epochs=[1, 2])
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    optimizer.param_groups[0]["params"][0].grad = torch.ones(1)
    optimizer.step()
    return {
        "epoch": 3,
        "arch": "mobilenext",
        "state_dict": with_prefix("module.")(state),
        "optimizer": optimizer.state_dict(),
        "args": args,
        "version": 2,
    }


def of_lightning(state):
    return {
        "state_dict": {**with_prefix("model.")(state), "criterion.weight": torch.ones(3)},
        "hyper_parameters": {"root": PosixPath("data"), "lr": numpy.float32(0.1)},
        "loops": {},
        "callbacks": {},
    }


def compiled_inside(state):
    """A model of which only the layer `features` is compiled."""
    return {re.sub(r"^features\.", "features._orig_mod.", key): v for key, v in state.items()}


FORMS = {
    "a state dict": lambda state: state,
    "`state_dict`, with optimizer and settings": of_released,
    "`model`": lambda state: {"model": state, "epoch": 3},
    "`model_state_dict`": lambda state: {"model_state_dict": state},
    "another key": lambda state: {"student": state, "loss": torch.ones(2)},
    "nested keys": lambda state: {"checkpoint": {"model": {"state_dict": state}}},
    "weights between other values": lambda state: {**state, "epoch": 7, "name": "net"},
    "DataParallel or DDP": with_prefix("module."),
    "torch.compile": with_prefix("_orig_mod."),
    "torch.compile of a part": compiled_inside,
    "DDP around torch.compile": with_prefix("module._orig_mod."),
    "FSDP": with_prefix("_fsdp_wrapped_module."),
    "Lightning": of_lightning,
    "numbers of numpy": lambda state: {"state_dict": state, "best_acc1": numpy.float64(71.2)},
    "arrays of numpy": lambda state: {"state_dict": state, "curve": numpy.arange(3)},
    "objects of other programs": lambda state: {"state_dict": state, "extra": Fraction(1, 2)},
    "no `num_batches_tracked`": lambda state: {k: v for k, v in state.items() if "num_" not in k},
    "counters of a profiler": lambda state: {
        **state,
        **{f"{k.rpartition('.')[0]}.total_ops": torch.zeros(1) for k in state},
    },
    "half precision": lambda state: {k: v.half() for k, v in state.items()},
    "ordered, as parameters": lambda state: OrderedDict(
        (k, torch.nn.Parameter(v) if v.is_floating_point() else v) for k, v in state.items()
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_that_are_read(form, saved, path):
    torch.save(FORMS[form](saved), path)
    model = network()
    assert not same(model, saved)
    assert load_weights(model, str(path)) in ([], [k for k in saved if "num_" in k])
    own = model.state_dict()
    assert own.keys() == saved.keys()
    for name, tensor in saved.items():
        expected = tensor.half().float() if form == "half precision" else tensor
        assert torch.equal(own[name], expected), name


def test_the_document_lists_what_is_read_and_refused():
    """docs/checkpoints.md has one row per form, in this order."""
    text = DOCUMENT.read_text()
    for title, forms in (("## Read", FORMS), ("## Refused", REFUSED)):
        table = text.partition(title)[2].partition("\n## ")[0]
        rows = re.findall(r"^\| (.+?) \|", table, re.MULTILINE)[1:]
        assert rows == list(forms), title


def test_files_of_other_formats(saved, tmp_path):
    """safetensors, and torch.save before version 1.6."""
    tensors, legacy = tmp_path / "model.safetensors", tmp_path / "weights.pt"
    safetensors.torch.save_file(with_prefix("model.")(saved), tensors)
    torch.save(
        {"state_dict": saved, "best": numpy.float64(1)},
        legacy,
        _use_new_zipfile_serialization=False,
    )
    for path in (tensors, legacy):
        model = network()
        load_weights(model, path)
        assert same(model, saved)


def test_checkpoints_of_this_project(saved, tmp_path):
    """best.pt, a checkpoint of a run, and the run directory, which is its newest checkpoint."""
    folder = tmp_path / "run/checkpoints"
    folder.mkdir(parents=True)
    average = network(seed=2).state_dict()
    ema = {**with_prefix("module.")(average), "n_averaged": torch.tensor(3)}
    write_checkpoint(folder / "best.pt", {"epoch": 1, "measured_net": saved, "description": {}})
    write_checkpoint(folder / "step_000000001.pt", {"epoch": 1, "net": average, "ema": None})
    save_checkpoint(folder, 2, {"epoch": 2, "net": saved, "ema": ema})
    for path in (folder / "best.pt", folder / "step_000000002.pt", folder.parent):
        model = network()
        load_weights(model, path)
        assert same(model, saved)
    load_weights(model, folder.parent, ema=True)
    assert same(model, average)


@pytest.mark.parametrize(
    "write",
    [
        lambda state, average: {"state_dict": state, "state_dict_ema": average},
        lambda state, average: {"model": state, "model_ema": with_prefix("module.")(average)},
        lambda state, average: {**with_prefix("model.")(state), **with_prefix("ema.")(average)},
        lambda state, average: {"net": state, "ema": {"shadow": average}},
    ],
)
def test_average_only_when_asked(saved, path, write):
    average = network(seed=2).state_dict()
    torch.save(write(saved, average), path)
    model = network()
    load_weights(model, path)
    assert same(model, saved)
    load_weights(model, path, ema=True)
    assert same(model, average)


@pytest.mark.parametrize("is_imagenet", [False, True])
@pytest.mark.parametrize("name", ["DARTS_V2", "DARTS_V1", "PC_DARTS_CIFAR"])
def test_weights_of_the_darts_code(path, name, is_imagenet, caplog):
    """Its network and ours give the same logits with the same file, auxiliary head or not."""
    genotype = load_genotype(name)
    torch.manual_seed(0)
    theirs = DartsNetwork(genotype, 4, 6, 7, is_imagenet)
    state = {k: v for k, v in theirs.state_dict().items() if not k.endswith("tracked")}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    x = torch.randn(2, 3, 64, 64)
    for auxiliary in (True, False):
        stem = "imagenet" if is_imagenet else "cifar"
        ours = GenotypeNetwork(
            genotype, 3, 7, init_channels=4, num_cells=6, auxiliary=auxiliary, stem=stem
        )
        with caplog.at_level(logging.INFO):
            load_weights(ours, path)
        with torch.no_grad():
            torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-5, atol=1e-6)
        if auxiliary:
            head = [v for k, v in theirs.state_dict().items() if k.startswith("auxiliary")]
            assert all(map(torch.equal, ours.auxiliary_head.state_dict().values(), head))
            assert not caplog.messages
        else:
            assert "not used by this network, left out: auxiliary_head" in caplog.messages[-1]


class TestNewClassifier:
    """A start for fine-tuning on other classes."""

    def test_keeps_the_body_and_names_what_is_left_out(self, saved, path, caplog):
        torch.save(saved, path)
        model = network(num_classes=5)
        initial = model.classifier[1].weight.clone()
        with caplog.at_level(logging.INFO):
            left = load_weights(model, path, new_classifier=True)
        assert left == ["classifier.1.weight", "classifier.1.bias"]
        assert "another number of classes, keeps its initial weights: classifier" in caplog.text
        assert torch.equal(model.classifier[1].weight, initial)
        assert same(model.features, {k[9:]: v for k, v in saved.items() if k.startswith("f")})

    def test_fits_as_a_whole_if_the_classes_are_as_many(self, saved, path):
        torch.save(saved, path)
        model = network()
        assert load_weights(model, path, new_classifier=True) == []
        assert same(model, saved)

    def test_of_a_cell_network_with_auxiliary_head(self, path):
        genotype = load_genotype("DARTS_V2")
        before, after = (
            GenotypeNetwork(genotype, num_classes=n, init_channels=4, num_cells=3) for n in (3, 5)
        )
        torch.save(before.state_dict(), path)
        left = load_weights(after, path, new_classifier=True)
        assert {name.rpartition(".")[0] for name in left} == {"auxiliary_head.10", "classifier"}

    def test_another_body_is_refused(self, path):
        torch.save(network(name="mobilenext_0.35").state_dict(), path)
        with pytest.raises(CheckpointError, match="with another shape"):
            load_weights(network(num_classes=5), path, new_classifier=True)

    def test_only_when_asked(self, saved, path):
        torch.save(saved, path)
        with pytest.raises(CheckpointError, match=r"classifier.1.weight \(3, 1280\) instead of"):
            load_weights(network(num_classes=5), path)


def without(state, *keys):
    return {key: tensor for key, tensor in state.items() if key not in keys}


class TestDoesNotFit:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda s: without(s, "classifier.1.bias"), "1 missing: classifier.1.bias;"),
            (lambda s: {**s, "extra.weight": torch.zeros(1)}, "1 unexpected: extra.weight;"),
            (
                lambda s: {**s, "classifier.1.bias": torch.zeros(4)},
                r"1 with another shape: classifier.1.bias \(4,\) instead of \(3,\);",
            ),
            (
                lambda s: {("module." * (k[0] == "f")) + k: v for k, v in s.items()},
                "2 missing: classifier.1.weight, classifier.1.bias;",
            ),
            (lambda s: {"a": torch.ones(1)}, r"features.0.0.weight, .* more; 1 unexpected: a;"),
        ],
    )
    def test_says_which_names(self, saved, path, change, message):
        """The error is one line and names the weights, and the network keeps its own."""
        torch.save({"state_dict": change(dict(saved))}, path)
        model = network()
        before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
        with pytest.raises(CheckpointError, match=message) as caught:
            load_weights(model, path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
        assert same(model, before)

    def test_another_width(self, path):
        """Nearly every weight has another shape; only the first few are listed."""
        torch.save(network(name="mobilenext_0.35").state_dict(), path)
        with pytest.raises(CheckpointError, match=r"with another shape: .* and \d+ more") as caught:
            load_weights(network(), path)
        assert len(str(caught.value)) < 1000


class Calls:
    """Something whose unpickling calls a function."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def saver(content):
    return lambda path, state: torch.save(content(state), path)


def writer(content):
    return lambda path, state: path.write_bytes(content)


REFUSED = {
    "a whole model as an object": (
        lambda path, state: torch.save(network(), path),
        "holds a whole model as a Python object; save its state_dict",
    ),
    "a whole model in a dictionary": (
        lambda path, state: torch.save({"model": network(), "epoch": 1}, path),
        "the keys model, epoch, among them Python objects, which are not loaded",
    ),
    "TorchScript": (
        lambda path, state: torch.jit.save(torch.jit.script(torch.nn.ReLU()), path),
        "is a TorchScript archive; save the state_dict",
    ),
    "calls of the operating system": (
        lambda path, state: torch.save({"a": Calls(os.mkdir, str(path) + "_made")}, path),
        r"holds \S+mkdir, which is not loaded because it could run code",
    ),
    "a network twice": (
        saver(lambda state: {"teacher": state, "student": state}),
        "several times: teacher, student; save the one that you want",
    ),
    "no weights": (saver(lambda state: {"epoch": 1}), "holds no weights; it holds the keys epoch"),
    "a tensor": (saver(lambda state: torch.ones(3)), "holds no weights; it holds a Tensor"),
    "a pointer of Git LFS": (
        writer(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        "is a Git LFS pointer, not the file itself; run `git lfs pull`",
    ),
    "a web page": (writer(b"\n<!DOCTYPE html><html>404"), "is a web page or XML"),
    "gzip": (writer(b"\x1f\x8b\x08\x00rest"), "is compressed with gzip; unpack it first"),
    "HDF5 of another framework": (writer(b"\x89HDF\r\n\x1a\n"), "is an HDF5 file"),
    "an empty file": (writer(b""), "is damaged or not a checkpoint"),
}


@pytest.mark.parametrize("form", REFUSED)
@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_forms_that_are_refused(form, saved, path):
    write, message = REFUSED[form]
    write(path, saved)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_weights(network(), path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300 + len(str(path))
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # nothing was executed


def test_no_file(path, tmp_path):
    with pytest.raises(CheckpointError, match="No such file"):
        load_weights(network(), path)
    with pytest.raises(CheckpointError, match="is a directory without checkpoints"):
        load_weights(network(), tmp_path)
    (tmp_path / "a.safetensors").write_bytes(b"\x08")
    with pytest.raises(CheckpointError, match=r"a.safetensors: cannot be read"):
        load_weights(network(), tmp_path / "a.safetensors")


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_truncated(saved, path, part):
    torch.save(of_released(saved), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(CheckpointError, match=r"model_best.pth.tar: is damaged or not") as caught:
        load_weights(network(), path)
    assert "\n" not in str(caught.value)


def test_skipped_objects_are_skipped_nowhere_else(saved, path):
    """What may be skipped here is not allowed to other readers afterwards."""
    torch.save(of_released(saved), path)
    load_weights(network(), path)
    with pytest.raises(Exception, match=r"argparse\.Namespace"):
        torch.load(path, weights_only=True)


def test_no_average(saved, path):
    torch.save({"state_dict": saved}, path)
    with pytest.raises(CheckpointError, match="has no moving average of the weights; leave ema_w"):
        load_weights(network(), path, ema=True)
