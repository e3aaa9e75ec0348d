"""The suppression of duplicates as a part of an ONNX file, for batches of any size.

torch.onnx cannot write `detections_of`, whose loop over the images has a fixed length. So this is
the same in ONNX's own text form, with ONNX's `NonMaxSuppression`, which knows batches. The node
names begin with `PREFIX`.
"""

from pathlib import Path

import onnx
import torch
from onnx import ModelProto, numpy_helper
from torch import Tensor

from nas.models.detection import Detections, detections_of, make_priors
from nas.models.detection.multibox import LARGEST_LOG, VARIANCES
from nas.models.detection.postprocess import MAX_DETECTIONS, MIN_SCORE, NMS_IOU

PREFIX = "postprocess_"
NO_LABEL = -1
"""The label of an entry without a detection; its score and box are 0."""
_GRAPH = """
<ir_version: {ir_version}, opset_import: ["" : {opset}]>
detect (float[N, {priors}, K] logits, float[N, {priors}, 4] offsets) => (
  float[N, {most}, 4] boxes, float[N, {most}] scores, int64[N, {most}] labels
) {{
  centers, log_sizes = Split <axis = -1, num_outputs = 2> (offsets)
  center_variance = Constant <value_float = {center_variance}> ()
  size_variance = Constant <value_float = {size_variance}> ()
  largest_log = Constant <value_float = {largest_log}> ()
  half = Constant <value_float = 0.5> ()
  zero = Constant <value_float = 0.0> ()
  one = Constant <value_float = 1.0> ()
  shift = Mul (centers, center_variance)
  scaled_shift = Mul (shift, prior_sizes)
  center = Add (scaled_shift, prior_centers)
  log_size = Mul (log_sizes, size_variance)
  capped = Min (log_size, largest_log)
  factor = Exp (capped)
  half_factor = Mul (factor, half)
  radius = Mul (half_factor, prior_sizes)
  low = Sub (center, radius)
  high = Add (center, radius)
  corners = Concat <axis = -1> (low, high)
  candidates = Clip (corners, zero, one)

  probabilities = Softmax <axis = -1> (logits)
  first = Constant <value_ints = [1]> ()
  last = Constant <value_ints = [2147483647]> ()
  axis = Constant <value_ints = [2]> ()
  objects = Slice (probabilities, first, last, axis)
  by_class = Transpose <perm = [0, 2, 1]> (objects)
  all = Constant <value_ints = [{priors}]> ()
  iou = Constant <value_floats = [{iou}]> ()
  least = Constant <value_floats = [{least}]> ()
  kept = NonMaxSuppression (candidates, by_class, all, iou, least)
  kept_scores = GatherND (by_class, kept)
  shape = Shape (by_class)
  nothing = ConstantOfShape (shape)
  sparse = ScatterND (nothing, kept, kept_scores)
  flat = Flatten <axis = 1> (sparse)
  most = Constant <value_ints = [{most}]> ()
  scores, places = TopK <axis = 1> (flat, most)
  num_priors = Constant <value_int = {priors}> ()
  classes = Div (places, num_priors)
  is_absent = LessOrEqual (scores, zero)
  no_label = Constant <value_int = {no_label}> ()
  labels = Where (is_absent, no_label, classes)
  prior = Mod (places, num_priors)
  coordinate_axis = Constant <value_ints = [2]> ()
  column = Unsqueeze (prior, coordinate_axis)
  four = Constant <value_ints = [1, 1, 4]> ()
  columns = Expand (column, four)
  chosen = GatherElements <axis = 1> (candidates, columns)
  absent_column = Unsqueeze (is_absent, coordinate_axis)
  boxes = Where (absent_column, zero, chosen)
}}
"""


def append_postprocessing(path: Path) -> None:
    """Give a file that returns logits and offsets the outputs boxes, scores and labels, in place.

    boxes (N, D, 4) are (x1, y1, x2, y2) in [0, 1], scores (N, D), labels (N, D) int64; D is the
    largest number of detections of an image, best first, and what is left is filled up with label
    `NO_LABEL`.

    Source: `nas.models.detection.postprocess`.
    """
    raw = onnx.load(path)
    opset = next(entry.version for entry in raw.opset_import if entry.domain == "")
    kept = {prop.key: prop.value for prop in raw.metadata_props}
    following = onnx.compose.add_prefix(
        _postprocessing(raw.ir_version, opset), PREFIX, rename_inputs=False, rename_outputs=False
    )
    pairs = [("logits", "logits"), ("offsets", "offsets")]
    whole = onnx.compose.merge_models(raw, following, io_map=pairs)
    del whole.opset_import[:]  # merge_models lists the set of both models twice
    whole.opset_import.extend(raw.opset_import)
    del whole.metadata_props[:]
    onnx.helper.set_model_props(whole, kept)
    onnx.checker.check_model(whole, full_check=True)
    onnx.save(whole, path)


def _postprocessing(ir_version: int, opset: int) -> ModelProto:
    priors = make_priors().float()
    text = _GRAPH.format(
        ir_version=ir_version,
        opset=opset,
        priors=len(priors),
        most=MAX_DETECTIONS,
        center_variance=VARIANCES[0],
        size_variance=VARIANCES[1],
        largest_log=LARGEST_LOG,
        iou=NMS_IOU,
        least=MIN_SCORE,
        no_label=NO_LABEL,
    )
    model = onnx.parser.parse_model(text)
    for name, values in (("prior_centers", priors[:, :2]), ("prior_sizes", priors[:, 2:])):
        model.graph.initializer.append(numpy_helper.from_array(values.numpy(), name))
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{index}"
    return model


def unpadded(boxes: Tensor, scores: Tensor, labels: Tensor) -> list[Detections]:
    """Return the detections of each image of what such a file answers."""
    return [
        Detections(*(part[row[2] != NO_LABEL] for part in row))
        for row in zip(boxes, scores, labels, strict=True)
    ]


def num_different(
    found: list[Detections], logits: Tensor, offsets: Tensor, tolerance: float
) -> tuple[int, int]:
    """Compare a file's detections with PyTorch's from the same raw outputs, one to one.

    Two detections are the same if label, score and box are, the last two within `tolerance`. Two
    boxes whose overlap is the limit but for rounding may count as duplicates in one of the two.

    Returns:
        How many detections differ or are only in one of the two, and how many there are, in the
        file or in PyTorch, whichever has more of an image.
    """
    expected = detections_of(logits, offsets, make_priors().float())
    different = total = 0
    for ours, theirs in zip(found, expected, strict=True):
        free = torch.ones(len(ours.scores), dtype=torch.bool)
        for box, score, label in zip(*theirs, strict=True):
            same = free & (ours.labels == label) & ((ours.scores - score).abs() <= tolerance)
            same &= ((ours.boxes - box).abs() <= tolerance).all(dim=1)
            free[same.nonzero()[:1, 0]] = False
        count = max(len(ours.scores), len(theirs.scores))
        different += count - int((~free).sum())
        total += count
    return different, total
