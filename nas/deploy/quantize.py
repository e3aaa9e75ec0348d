"""Post-training static INT8: weights and activations, by the quantizer of ONNX Runtime.

The ranges are ours (`nas.deploy.thresholds`). ONNX Runtime's own calibrators are not used: with its
defaults its entropy method has a single threshold to choose from, so that it cuts nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import TensorData, TensorsData, save_tensors_data

from nas.deploy.export import checked_first, quiet
from nas.deploy.metadata import KEY
from nas.deploy.options import DEFAULT_PERCENTILE, MIN_OPSET
from nas.deploy.postprocess import PREFIX
from nas.deploy.session import open_session
from nas.deploy.thresholds import RULES, SIGNED_LEVELS, UNSIGNED_LEVELS, Histogram, Range
from nas.errors import ConfigError, DeployError

ACTIVATIONS = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
QUANTIZATION_KEY = f"{KEY}_quantization"


@dataclass(frozen=True)
class Quantization:
    """How a network is brought to 8 bits."""

    calibration: str = "entropy"
    """entropy, percentile or minmax: how the range of an activation is chosen."""
    per_channel: bool = True
    """Whether a weight has one scale per output channel, or one in all."""
    activations: str = "uint8"
    """uint8 from the lowest to the highest value, which CPUs run fast; or int8, symmetric about
    zero, as TensorRT has it."""
    percentile: float = DEFAULT_PERCENTILE
    """Percent of the values that the range holds; only for percentile."""

    def __post_init__(self) -> None:
        if self.calibration not in RULES:
            raise ConfigError(
                f"calibration: expected {', '.join(RULES)}, found {self.calibration!r}"
            )
        if self.activations not in ACTIVATIONS:
            raise ConfigError(
                f"activations: expected {', '.join(ACTIVATIONS)}, found {self.activations!r}"
            )
        if not 50 < self.percentile <= 100:
            raise ConfigError(
                f"percentile: expected a number above 50 and at most 100, found {self.percentile}"
            )


def read_float_model(path: Path) -> onnx.ModelProto:
    """Read a model that can be quantized.

    Raises:
        DeployError: It is no ONNX file, is of an old opset, or is quantized already.
    """
    if not path.is_file():
        raise DeployError(f"{path}: the file does not exist; write one with `nas export`")
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as cause:  # protobuf and the checker raise kinds of their own
        raise DeployError(
            f"{path}: is not an ONNX model ({' '.join(str(cause).split())[:200]}); write one with "
            "`nas export`"
        ) from cause
    opset = max((entry.version for entry in model.opset_import if entry.domain == ""), default=0)
    if opset < MIN_OPSET:
        raise DeployError(
            f"{path}: is of opset {opset}, at least {MIN_OPSET} is needed; export it again"
        )
    if any(node.op_type in ("QuantizeLinear", "QLinearConv") for node in model.graph.node):
        raise DeployError(f"{path}: is quantized already; give the fp32 model")
    return model


def choose_ranges(
    histograms: Mapping[str, Histogram], quantization: Quantization
) -> dict[str, Range]:
    """Return the range of every activation."""
    return {name: _range_of(histogram, quantization) for name, histogram in histograms.items()}


def _range_of(histogram: Histogram, quantization: Quantization) -> Range:
    rule = RULES[quantization.calibration]
    if quantization.calibration == "percentile":
        return rule(histogram, quantization.percentile)
    if quantization.calibration == "entropy":
        is_unsigned = quantization.activations == "uint8" and histogram.lowest >= 0
        return rule(histogram, UNSIGNED_LEVELS if is_unsigned else SIGNED_LEVELS)
    return rule(histogram)


def write_quantized(
    model: onnx.ModelProto, ranges: Mapping[str, Range], quantization: Quantization, out: Path
) -> None:
    """Write the quantized model, with the metadata of the other, and see that it can be run.

    Raises:
        DeployError: It cannot be run or written.
    """
    data = {
        name: TensorData(lowest=np.float32(low), highest=np.float32(high))
        for name, (low, high) in ranges.items()
    }
    activation_type = ACTIVATIONS[quantization.activations]
    with checked_first(out) as temporary:
        with quiet():
            path = temporary.with_name("ranges.json")
            # The quantizer reads ranges of any origin under the name of one of its methods.
            save_tensors_data(TensorsData(CalibrationMethod.MinMax, data), path)
            quantize_static(
                model,
                temporary,
                calibration_cache_path=path,
                calibrate_method=CalibrationMethod.MinMax,
                quant_format=QuantFormat.QDQ,
                per_channel=quantization.per_channel,
                activation_type=activation_type,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[n.name for n in model.graph.node if n.name.startswith(PREFIX)],
                extra_options={"ActivationSymmetric": activation_type is QuantType.QInt8},
            )
        written = onnx.load(temporary)
        kept = {prop.key: prop.value for prop in model.metadata_props}
        kept[QUANTIZATION_KEY] = json.dumps(asdict(quantization))
        del written.metadata_props[:]
        onnx.helper.set_model_props(written, kept)
        onnx.save(written, temporary)
        open_session(temporary)
