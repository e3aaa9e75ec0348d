"""Settings of the three commands are checked when they are made, by parameter."""

import re

import pytest

from nas.deploy.options import (
    CALIBRATIONS,
    BenchmarkSettings,
    ExportSettings,
    QuantizeSettings,
)
from nas.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "values", "said"),
    [
        (ExportSettings, {"out": "x.tflite"}, "out: expected a name that ends in .onnx or .pt2"),
        (ExportSettings, {"out": "x"}, "out: expected a name"),
        (ExportSettings, {"out": "x.pt2", "opset": 18}, "opset: only .onnx files have one"),
        (ExportSettings, {"out": "x.onnx", "opset": 11}, "opset: found 11"),
        (ExportSettings, {"out": "x.onnx", "image_size": 7}, "image_size: expected a number"),
        (QuantizeSettings, {"calibration": "kl"}, "calibration: expected best, minmax"),
        (QuantizeSettings, {"weights": "per_layer"}, "weights: expected per_channel"),
        (QuantizeSettings, {"out": "m.onnx"}, "out: expected another file than the model"),
        (QuantizeSettings, {"out": "m.pt2"}, "out: expected another file than the model"),
        (QuantizeSettings, {"chunk": 0}, "chunk: expected a number of at least 1, found 0"),
        (QuantizeSettings, {"percentile": 50}, "percentile: expected a number above 50"),
        (QuantizeSettings, {"percentile": 99, "calibration": "minmax"}, "percentile: has an"),
        (BenchmarkSettings, {"models": ()}, "models: expected at least one"),
        (BenchmarkSettings, {"models": ("a", "a")}, "models: a network is named twice"),
        (BenchmarkSettings, {"models": ("a",), "engines": ("tflite",)}, "engines: 'tflite' is"),
        (BenchmarkSettings, {"models": ("a.onnx",), "engines": ("eager",)}, "engines: has no"),
        (BenchmarkSettings, {"models": ("a",), "threads": (1, 0)}, "threads: expected a number"),
    ],
)
def test_a_wrong_setting_is_named(settings, values, said):
    """The message starts with the parameter; it has no dashes, which belong to a program."""
    defaults = {} if settings is BenchmarkSettings else {"model": "m.onnx"}
    with pytest.raises(ConfigError, match=re.escape(said)) as error:
        settings(**{**defaults, **values})
    assert re.match(r"(--)?\w+: ", str(error.value))


def test_the_default_target_is_next_to_the_model():
    """Its name says what it is."""
    assert str(QuantizeSettings(model="a/net.onnx").target) == "a/net_int8.onnx"


def test_every_calibration_has_a_rule():
    """What may be named is what can be computed."""
    thresholds = pytest.importorskip("nas.deploy.thresholds")
    assert set(thresholds.RULES) == set(CALIBRATIONS)
