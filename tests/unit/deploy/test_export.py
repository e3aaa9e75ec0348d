"""Exported files: checked, reloaded, equal to PyTorch, cheap where the shortcut is partial."""

from collections import Counter

import pytest
import torch

from nas.deploy.extra import PACKAGES, check_extra
from nas.deploy.metadata import KEY, Metadata
from nas.errors import DeployError
from tests.unit.deploy.networks import METADATA, images, lively, small_mobilenext

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
        ("x.onnx", 11, "--opset: found 11, but torch.onnx writes 18 to 23"),
        ("x.onnx", 99, "--opset: found 99"),
        ("x.tflite", 18, "ends in .onnx or .pt2"),
    ],
)
def test_what_cannot_be_written(net, tmp_path, name, opset, message):
    with pytest.raises(DeployError, match=message):
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
        key=lambda h: (
            abs(h.highest - seen[0].max().item()) + abs(h.num_zeros - (seen[0] == 0).sum())
        ),
    )
    assert found.lowest == 0 and found.highest == pytest.approx(seen[0].max().item(), rel=1e-5)
    assert found.counts.sum() == seen[0].numel() and found.num_zeros == (seen[0] == 0).sum()
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
    with pytest.raises(DeployError, match="is quantised already"):
        read_float_model(out)


def test_what_cannot_be_quantised(path, tmp_path):
    """Files that are missing, foreign, old, or beyond the runtime."""
    foreign = tmp_path / "foreign.onnx"
    foreign.write_bytes(b"\x08\x0b garbage")
    with pytest.raises(DeployError, match="is no ONNX model"):
        read_float_model(foreign)
    with pytest.raises(DeployError, match="there is no such file"):
        read_float_model(tmp_path / "nowhere.onnx")
    model = onnx.load(path)
    model.opset_import[0].version = 11
    onnx.save(model, foreign)
    with pytest.raises(DeployError, match=r"is no ONNX model|is of opset 11, at least 18"):
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
    monkeypatch.setattr("nas.deploy.extra.PACKAGES", ("onnx", "onnxmissing"))
    with pytest.raises(
        DeployError, match=r"^onnxmissing: not installed; .*sandglass-nas\[deploy\]"
    ):
        check_extra()


MATRIX = [
    *(f"mobilenext_{width}" for width in ("1.4", "1.0", "0.75", "0.5", "0.35")),
    *(f"mobilenext_1.0,identity_ratio={ratio}" for ratio in ("1/2", "1/3", "1/6")),
    "mobilenext_se_1.0",
    "mobilenext_se_1.1",
    "mobilenet_v2_1.0",
    "mobilenext_paper_1.0",
    "mobilenext_last_relu6_1.0,identity_ratio=1/2",
    "DARTS_V2",
    "experiments/cifar10_small/search/darts+sandglass-seed0/genotype.json",
]


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
