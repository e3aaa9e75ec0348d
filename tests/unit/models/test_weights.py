"""Checkpoints in the released form, and every way in which one may not fit."""

import argparse
import os
from fractions import Fraction

import pytest
import torch

from nas.errors import CheckpointError
from nas.models import build_network, load_weights


def network(seed=0, name="mobilenext_0.05", num_classes=3):
    torch.manual_seed(seed)
    return build_network(name, num_classes=num_classes)


def same(model, state):
    found = model.state_dict()
    return found.keys() == state.keys() and all(torch.equal(found[k], state[k]) for k in state)


@pytest.fixture
def saved():
    return network(seed=1).state_dict()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model_best.pth.tar"


def released(state, **more):
    """What the saver of the released checkpoints writes."""
    args = argparse.Namespace(model="mobilenext", lr=0.1, data=None, decay_epochs=[1, 2])
    return {
        "epoch": 3,
        "arch": "mobilenext",
        "state_dict": state,
        "args": args,
        "version": 2,
        **more,
    }


@pytest.mark.parametrize("prefix", ["", "module."])
def test_released_form(saved, path, prefix):
    """Namespace, optimiser and the prefix of a parallel wrapper are no hindrance."""
    state = {prefix + key: tensor for key, tensor in saved.items()}
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1).state_dict()
    torch.save(released(state, optimizer=optimizer), path)
    model = network()
    assert not same(model, saved)
    assert load_weights(model, str(path)) is None
    assert same(model, saved)


def test_average_only_when_asked(saved, path):
    """`state_dict_ema` is taken with ema=True, and never otherwise."""
    average = network(seed=2).state_dict()
    torch.save(released(saved, state_dict_ema=average), path)
    model = network()
    load_weights(model, path)
    assert same(model, saved)
    load_weights(model, path, ema=True)
    assert same(model, average)


def test_plain_state_dict(path):
    """What torchvision publishes is the state dict itself."""
    state = network(1, "mobilenet_v2_0.1").state_dict()
    torch.save(state, path)
    model = network(0, "mobilenet_v2_0.1")
    load_weights(model, path)
    assert same(model, state)


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
                r"1 of another shape: classifier.1.bias \(4,\) instead of \(3,\);",
            ),
            (
                lambda s: {("module." * (k[0] == "f")) + k: v for k, v in s.items()},
                r"missing: features.0.0.weight, .* and \d+ more; .* unexpected: module.features",
            ),
        ],
    )
    def test_says_which_keys(self, saved, path, change, message):
        """The error is one line and names the keys, and the network keeps its weights."""
        torch.save(released(change(dict(saved))), path)
        model = network()
        before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
        with pytest.raises(CheckpointError, match=message) as caught:
            load_weights(model, path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
        assert same(model, before)

    def test_another_width(self, path):
        """Nearly every key has another shape; only the first are listed."""
        torch.save(released(network(name="mobilenext_0.35").state_dict()), path)
        with pytest.raises(CheckpointError, match=r"of another shape: .* and \d+ more") as caught:
            load_weights(network(), path)
        assert len(str(caught.value)) < 1000


class Calls:
    """Something whose unpickling calls a function."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


class TestFilesThatAreRefused:
    def test_no_file(self, path):
        with pytest.raises(CheckpointError, match="No such file"):
            load_weights(network(), path)

    def test_directory(self, tmp_path):
        with pytest.raises(CheckpointError, match="Is a directory"):
            load_weights(network(), tmp_path)

    @pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
    def test_truncated(self, saved, path, part):
        """A file that ends too early, at whichever place."""
        torch.save(released(saved), path)
        content = path.read_bytes()
        path.write_bytes(content[: int(part * len(content))])
        with pytest.raises(
            CheckpointError, match=r"model_best.pth.tar: is damaged or no checkpoint"
        ) as caught:
            load_weights(network(), path)
        assert "\n" not in str(caught.value)

    def test_text(self, path):
        path.write_text("<html>404 not found</html>")
        with pytest.raises(CheckpointError, match="no checkpoint"):
            load_weights(network(), path)

    def test_code_is_not_run(self, saved, path):
        """A file that would make a directory when unpickled does not."""
        made = path.with_name("made")
        torch.save(released(saved, extra=Calls(os.mkdir, str(made))), path)
        with pytest.raises(CheckpointError, match=r"holds \S+mkdir, .* run code; only tensors"):
            load_weights(network(), path)
        assert not made.exists()

    def test_other_objects(self, saved, path):
        """Nothing beside tensors, plain values and Namespace, harmless as it may be."""
        torch.save(released(saved, extra=Fraction(1, 2)), path)
        with pytest.raises(CheckpointError, match=r"holds fractions\.Fraction, .* only tensors"):
            load_weights(network(), path)

    def test_namespace_is_allowed_nowhere_else(self, saved, path):
        """What is allowed here is not left allowed for other readers."""
        torch.save(released(saved), path)
        load_weights(network(), path)
        with pytest.raises(Exception, match=r"argparse\.Namespace"):
            torch.load(path, weights_only=True)

    @pytest.mark.parametrize(
        ("content", "ema", "message"),
        [
            ({"epoch": 1, "args": None}, False, "has no state_dict; it holds the keys epoch, args"),
            ({"state_dict": {}}, False, "has no state_dict"),
            ({"state_dict": {"a": 1}}, False, "has no state_dict"),
            ({"state_dict": {"a": torch.zeros(1)}}, True, "has no state_dict_ema; .* without ema"),
            (torch.zeros(3), False, "has no state_dict; it holds Tensor"),
            ([1, 2], True, "has no state_dict_ema; it holds list"),
        ],
    )
    def test_no_weights(self, path, content, ema, message):
        torch.save(content, path)
        with pytest.raises(CheckpointError, match=message):
            load_weights(network(), path, ema=ema)
