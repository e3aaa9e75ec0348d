"""Exported files: checked, reloaded, equal to PyTorch, cheap where the shortcut is partial."""

import weakref
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch.optim.swa_utils import update_bn

from nas.deploy.images import sample_images
from nas.deploy.metadata import KEY, Metadata
from nas.deploy.options import PACKAGES, check_extra
from nas.deploy.thresholds import entropy_range
from nas.errors import ConfigError, DeployError
from nas.models.factory import WIDTHS
from tests.unit.deploy.networks import METADATA, images, lively, small_mobilenext
from tests.unit.deploy.test_thresholds import histogram, values_of

for package in PACKAGES:
    pytest.importorskip(package, reason="the extra `deploy` is not installed")

import onnx  # noqa: E402

from nas.deploy.calibrate import collect  # noqa: E402
from nas.deploy.export import TOLERANCE, export  # noqa: E402
from nas.deploy.quantize import (  # noqa: E402
    Quantization,
    choose_ranges,
    read_float_model,
    write_quantized,
)
from nas.deploy.session import OnnxNetwork, open_session, read_metadata  # noqa: E402
from nas.deploy.source import read_source  # noqa: E402


@pytest.fixture(scope="module")
def net():
    return small_mobilenext("1/2")


@pytest.fixture(scope="module")
def path(net, tmp_path_factory):
    """An exported network with a partial shortcut."""
    path = tmp_path_factory.mktemp("export") / "small.onnx"
    found = export(net, METADATA, images(), path)
    assert found.max_difference < TOLERANCE < found.max_logit
    return path


def operators(path):
    return Counter(node.op_type for node in onnx.load(path).graph.node)


@pytest.fixture(scope="module")
def histograms(path):
    return collect(read_float_model(path), lambda: images(8).split(3))


def test_a_file_that_any_runtime_can_read(path, net):
    """The checker accepts it, and ONNX Runtime takes batches of any size."""
    onnx.checker.check_model(onnx.load(path), full_check=True)
    reloaded = OnnxNetwork(open_session(path))
    for num_images in (1, 2, 7):
        with torch.no_grad():
            expected = net(images(num_images))
        assert torch.allclose(reloaded(images(num_images)), expected, atol=TOLERANCE)


def test_a_partial_shortcut_costs_no_copies(path):
    """No slice, no concatenation but the one before the classifier, no scatter."""
    found = operators(path)
    assert {"Slice", "Split", "ScatterND", "Transpose"}.isdisjoint(found)
    assert found["Concat"] == 1 and "BatchNormalization" not in found


def test_metadata_is_inside(path):
    session = open_session(path)
    assert read_metadata(session, path) == METADATA
    (prop,) = onnx.load(path).metadata_props
    assert Metadata.from_json(prop.value, "here") == METADATA and prop.key == KEY


def test_a_program_of_torch_export(net, tmp_path):
    """The second format: the same logits, with the metadata beside them."""
    found = export(net, METADATA, images(), tmp_path / "small.pt2")
    assert found.max_difference < 1e-5
    extra = {f"{KEY}.json": ""}
    program = torch.export.load(found.path, extra_files=extra)
    assert Metadata.from_json(extra[f"{KEY}.json"], "here") == METADATA
    assert torch.allclose(program.module()(images(3)), net(images(3)), atol=TOLERANCE)


def test_what_differs_is_not_written(path, tmp_path, monkeypatch):
    """The check fails when the file is of another network, and leaves nothing."""

    def write_another(net, metadata, images, target, opset):
        target.write_bytes(path.read_bytes())

    monkeypatch.setattr("nas.deploy.export._write_onnx", write_another)
    with pytest.raises(DeployError, match=r"differ from PyTorch's by .*; it was not written"):
        export(small_mobilenext("1/3"), METADATA, images(), tmp_path / "other.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "opset", "message"),
    [
        ("x.onnx", 11, "opset: found 11, but torch.onnx writes 18 to 23"),
        ("x.onnx", 99, "opset: found 99"),
        ("x.tflite", 18, "ends in .onnx or .pt2"),
    ],
)
def test_what_cannot_be_written(net, tmp_path, name, opset, message):
    with pytest.raises(ConfigError, match=message):
        export(net, METADATA, images(), tmp_path / name, opset)


def test_histograms_are_those_of_the_activations(net, histograms):
    """The stem's output by a hook, counted by NumPy, is one of them; chunks change nothing."""
    seen = []
    handle = net.features[0].register_forward_hook(lambda _m, _i, out: seen.append(out))
    with torch.no_grad():
        net(images(8))
    handle.remove()
    found = min(
        histograms.values(),
        key=lambda h: abs(h.highest - seen[0].max().item()) + abs(h.counts.sum() - seen[0].numel()),
    )
    assert found.lowest == 0 and found.highest == pytest.approx(seen[0].max().item(), rel=1e-5)
    assert found.counts.sum() == seen[0].numel()
    expected = seen[0].histc(len(found.counts), -found.highest, found.highest).numpy()
    assert abs(found.counts - expected).sum() < 0.001 * seen[0].numel()
    assert histograms["images"].counts.sum() == images(8).numel()


def test_chunks_change_no_histogram(path, histograms):
    """One image at a time is as three; up to rounding that depends on the batch."""
    again = collect(read_float_model(path), lambda: images(8).split(1))
    assert set(again) == set(histograms)
    for name, found in again.items():
        assert found.highest == pytest.approx(histograms[name].highest, rel=1e-5, abs=1e-6)
        assert found.counts.sum() == histograms[name].counts.sum()


def test_one_chunk_is_held_at_a_time(path, monkeypatch):
    """When a chunk goes in, the outputs of the one before are gone, all but the last of them."""
    alive, outputs = [], []

    class Watched:
        def __init__(self, session):
            self.run_it = session.run

        def run(self, names, feed):
            alive.append(sum(reference() is not None for reference in outputs))
            found = self.run_it(names, feed)
            assert all(len(value) == len(feed["images"]) == 2 for value in found)
            outputs[:] = [weakref.ref(value) for value in found]
            return found

    def open_watched(path):
        return Watched(open_session(path))

    monkeypatch.setattr("nas.deploy.calibrate.open_session", open_watched)
    collect(read_float_model(path), lambda: images(8).split(2))
    assert len(alive) == 2 * 4 and len(outputs) > 20
    assert max(alive) <= 1


@pytest.fixture(scope="module")
def telling(tmp_path_factory):
    """A network whose class depends on the image, as file, logits of 200 images and histograms."""
    drawn = sample_images(METADATA, 300)
    test, calibration = drawn[:200], drawn[200:]
    net = small_mobilenext("1/2")
    update_bn([calibration], net)
    net.eval()
    with torch.no_grad():
        net.classifier[1].bias -= net(calibration).mean(0)
        logits = net(test)
    path = tmp_path_factory.mktemp("telling") / "net.onnx"
    export(net, METADATA, test[:4], path)
    return path, test, logits, collect(read_float_model(path), lambda: calibration.split(25))


@pytest.mark.parametrize("calibration", ["entropy", "percentile", "minmax"])
def test_int8_decides_as_fp32(telling, tmp_path, calibration):
    """The class is the same for far more images than by chance, with each calibration."""
    path, test, logits, histograms = telling
    expected = logits.argmax(1)
    assert expected.bincount().max() < 0.4 * len(test)
    way, out = Quantization(calibration), tmp_path / "int8.onnx"
    write_quantized(read_float_model(path), choose_ranges(histograms, way), way, out)
    found = OnnxNetwork(open_session(out))(test)
    assert (found.argmax(1) == expected).float().mean() > 0.7
    assert (found - logits).abs().mean() < 0.4 * logits.std()


@pytest.mark.parametrize("activations", ["uint8", "int8"])
@pytest.mark.parametrize("per_channel", [True, False])
def test_eight_bits(path, net, histograms, tmp_path, activations, per_channel):
    """Every convolution is in 8 bits, every range is the chosen one, and logits are near."""
    out = tmp_path / "int8.onnx"
    way = Quantization("minmax", per_channel, activations)
    model = read_float_model(path)
    write_quantized(model, choose_ranges(histograms, way), way, out)
    written = onnx.load(out)
    makers = {node.output[0]: node for node in written.graph.node}
    for node in written.graph.node:
        if node.op_type == "Conv":
            assert all(makers[name].op_type == "DequantizeLinear" for name in node.input)
    values = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in written.graph.initializer
    }
    weights = [v for v in values.values() if v.dtype == "int8" and v.ndim == 4]
    assert len(weights) == operators(path)["Conv"]
    for node in written.graph.node:
        if node.op_type == "Conv":  # weight <- DequantizeLinear(integers, scale, zero point)
            integers, scale = (values[name] for name in makers[node.input[1]].input[:2])
            assert scale.shape == ((len(integers),) if per_channel else ())
    first = next(node for node in written.graph.node if node.input[0] == "images")
    scale, zero_point = (values[name] for name in first.input[1:])
    seen = histograms["images"]
    largest = max(-seen.lowest, seen.highest)
    if activations == "uint8":
        assert scale == pytest.approx((seen.highest - seen.lowest) / 255, rel=1e-5)
    else:
        assert scale == pytest.approx(largest / 127.5, rel=0.01) and zero_point == 0
    with torch.no_grad():
        expected = net(images(8))
    found = OnnxNetwork(open_session(out))(images(8))
    assert 0 < (found - expected).abs().max() < 0.25 * expected.abs().max()
    session = open_session(out)
    assert read_metadata(session, out) == METADATA
    with pytest.raises(DeployError, match="is quantized already"):
        read_float_model(out)


def test_unsigned_integers_have_twice_the_levels():
    """256 where no value is negative and the integers have no sign; 128 elsewhere."""
    above, around = histogram(values_of("sparse")), histogram(values_of("normal"))
    both = {"above": above, "around": around}
    for found in both.values():
        assert entropy_range(found, 128) != entropy_range(found, 256)
    found = choose_ranges(both, Quantization("entropy", activations="uint8"))
    assert found == {"above": entropy_range(above, 256), "around": entropy_range(around, 128)}
    found = choose_ranges(both, Quantization("entropy", activations="int8"))
    assert found == {"above": entropy_range(above, 128), "around": entropy_range(around, 128)}


def test_what_cannot_be_quantized(path, tmp_path):
    """Files that are missing, foreign, old, or beyond the runtime."""
    foreign = tmp_path / "foreign.onnx"
    foreign.write_bytes(b"\x08\x0b garbage")
    with pytest.raises(DeployError, match="is not an ONNX model"):
        read_float_model(foreign)
    with pytest.raises(DeployError, match="the file does not exist"):
        read_float_model(tmp_path / "nowhere.onnx")
    value = onnx.helper.make_tensor_value_info
    ends = [[value(name, onnx.TensorProto.FLOAT, ["N", 3])] for name in ("images", "logits")]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["images"], ["logits"])], "g", *ends
    )
    old = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 11)], ir_version=6
    )
    onnx.checker.check_model(old, full_check=True)
    onnx.save(old, foreign)
    with pytest.raises(DeployError, match=r"is of opset 11, at least 18 is needed"):
        read_float_model(foreign)


def test_what_the_runtime_cannot_run(tmp_path):
    """An operator that it does not have is one line that names it."""
    node = onnx.helper.make_node("Conjure", ["images"], ["logits"], domain="elsewhere")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [value("images", onnx.TensorProto.FLOAT, [1])],
        [value("logits", onnx.TensorProto.FLOAT, [1])],
    )
    domains = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("elsewhere", 1)]
    path = tmp_path / "conjured.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=domains, ir_version=10), path)
    with pytest.raises(DeployError, match=r"cannot run it: .*(Conjure|elsewhere)") as error:
        open_session(path)
    assert "\n" not in str(error.value)


def test_without_the_extra(monkeypatch):
    """One line that names what is missing and how to install it."""
    monkeypatch.setattr("nas.deploy.options.PACKAGES", ("onnx", "onnxmissing"))
    with pytest.raises(
        DeployError, match=r"^onnxmissing: not installed; .*sandglass-nas\[deploy\]"
    ):
        check_extra()


MATRIX = [
    *(f"mobilenext_{width}" for width in WIDTHS),
    *(f"mobilenext_1.0,identity_ratio={ratio}" for ratio in ("1/2", "1/3", "1/6")),
    "mobilenext_se_1.0",
    "mobilenext_se_1.1",
    "mobilenet_v2_1.0",
    "mobilenext_paper_1.0",
    "mobilenext_last_relu6_1.0,identity_ratio=1/2",
    "DARTS_V2",
    str(Path(__file__).parents[2] / "cells" / "sandglass.json"),
]


@pytest.mark.parametrize("opset", [19, pytest.param(23, marks=pytest.mark.slow)])
def test_other_opsets(net, tmp_path, opset):
    """The file is of the opset that was asked for, and equal to PyTorch."""
    found = export(net, METADATA, images(), tmp_path / "net.onnx", opset)
    assert found.max_difference < TOLERANCE < found.max_logit
    (entry,) = (e for e in onnx.load(found.path).opset_import if e.domain == "")
    assert entry.version == opset


@pytest.mark.slow
def test_a_name_at_the_smallest_size(tmp_path):
    """Random weights with the statistics that they are given are no matter of rounding."""
    source = read_source("mobilenext_0.35", 32)
    drawn = sample_images(source.metadata, 8)
    assert export(source.net, source.metadata, drawn, tmp_path / "n.onnx").max_difference < 7e-5


@pytest.mark.parametrize("width", [pytest.param("1.4", marks=pytest.mark.slow), "0.35"])
def test_parity_of_the_widest_and_the_narrowest(width, tmp_path):
    """As below for every width, on images small enough for the default tests."""
    source = read_source(f"mobilenext_{width}", 32)
    found = export(lively(source.net), source.metadata, images(3), tmp_path / "net.onnx")
    assert found.max_difference < TOLERANCE and found.max_logit > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", MATRIX)
def test_parity_of_every_network(name, tmp_path):
    """Below 1e-4 on logits that are not tiny, with the image size of the paper."""
    source = read_source(name)
    net = lively(source.net)
    size = source.metadata.image_size
    found = export(net, source.metadata, images(3, size), tmp_path / "net.onnx")
    assert found.max_difference < TOLERANCE and found.max_logit > 0.1
    assert "ScatterND" not in operators(tmp_path / "net.onnx")
