"""ONNX Runtime: a file opened for measuring, with clear errors."""

from pathlib import Path

import numpy
import onnxruntime
import torch
from torch import Tensor, nn

from nas.deploy.metadata import KEY, Metadata
from nas.deploy.postprocess import unpadded
from nas.errors import DeployError
from nas.models.detection import Detections, detections_of, make_priors

INPUT = "images"


def open_session(path: Path, num_threads: int | None = None) -> onnxruntime.InferenceSession:
    """Open a model on the CPU.

    Args:
        path: The .onnx file.
        num_threads: Of one operator; None is the runtime's choice.

    Raises:
        DeployError: The file does not exist, or the runtime cannot run it.
    """
    if not path.is_file():
        raise DeployError(f"{path}: the file does not exist; write one with `nas export`")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised below, once
    if num_threads is not None:
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        # Threads that wait for the next call by spinning would slow what is timed next.
        options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as cause:  # the runtime raises a different class for every kind
        raise DeployError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} cannot run it: "
            f"{' '.join(str(cause).split())[:300]}; export it again, or with another `opset`"
        ) from cause


def read_metadata(session: onnxruntime.InferenceSession, path: Path) -> Metadata:
    """Return what `export` stored in the file.

    Raises:
        DeployError: It is not there, or the file has other inputs and outputs.
    """
    metadata = Metadata.from_json(session.get_modelmeta().custom_metadata_map.get(KEY), str(path))
    names = [value.name for value in (*session.get_inputs(), *session.get_outputs())]
    if names != [INPUT, *metadata.outputs]:
        raise DeployError(
            f"{path}: expected {INPUT} in and {', '.join(metadata.outputs)} out, found "
            f"{', '.join(names)}; write the file with `nas export`"
        )
    return metadata


class OnnxNetwork(nn.Module):
    """A session as a module, so that it is measured by the code that measures any network."""

    def __init__(self, session: onnxruntime.InferenceSession):
        super().__init__()
        self._session = session

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Float (N, 3, S, S) -> logits (N, num_classes), or all outputs of a detector."""
        feed = {INPUT: numpy.ascontiguousarray(images.numpy())}
        outputs = tuple(map(torch.from_numpy, self._session.run(None, feed)))
        return outputs[0] if len(outputs) == 1 else outputs


class OnnxDetector(OnnxNetwork):
    """The session of a detector, whose answers are detections, with and without raw outputs."""

    def forward(  # type: ignore[override]  # what is measured differs from what the file returns
        self, images: Tensor
    ) -> list[Detections]:
        """Float (N, 3, S, S) -> the detections of each image."""
        outputs = super().forward(images)
        if len(outputs) == 2:
            logits, offsets = outputs
            return detections_of(logits, offsets, make_priors().float())
        return unpadded(*outputs)
