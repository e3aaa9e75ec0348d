"""How good a file is on labeled images: what is measured, what ranks two files, what is printed."""

from pathlib import Path

from nas.data.from_config import Loader
from nas.deploy.boxes import CPU, BoxLoader
from nas.deploy.metadata import Metadata
from nas.deploy.session import OnnxDetector, OnnxNetwork, open_session
from nas.detect.measure import detect, measure
from nas.detection_record import DetectionEvaluation
from nas.records import Evaluation
from nas.runtime.evaluation import evaluate

Quality = Evaluation | DetectionEvaluation


def evaluate_file(path: Path, metadata: Metadata, loader: Loader | BoxLoader) -> Quality:
    """Measure an .onnx file: the accuracy of a classifier, the mAP of a detector."""
    session = open_session(path)
    if isinstance(loader, BoxLoader):
        return measure(loader.images, detect(OnnxDetector(session), loader, compute=CPU))
    return evaluate(OnnxNetwork(session), loader, int(metadata.model["num_classes"]))


def percent(quality: Quality) -> float:
    """Return top-1 accuracy, or the mAP of VOC 2007."""
    return quality.top1 if isinstance(quality, Evaluation) else quality.map_11


def rank(quality: Quality | None) -> tuple[float, float]:
    """Return what makes one file better than another; the second where the first is equal."""
    if quality is None:
        return (0.0, 0.0)
    tie = -quality.loss if isinstance(quality, Evaluation) else quality.map_coco
    return (percent(quality), tie)


def brief(quality: Quality) -> str:
    """Return what ranks a file, in words."""
    if isinstance(quality, Evaluation):
        return f"top-1 {quality.top1:.2f} %, loss {quality.loss:.4f}"
    return f"mAP {quality.map_11:.2f} % (11 points), {quality.map_coco:.2f} % (COCO)"


def in_full(quality: Quality) -> str:
    """Return all that is printed of a file's quality."""
    if isinstance(quality, Evaluation):
        return f"top-1 {quality.top1:.2f} %, top-5 {quality.top5:.2f} %"
    return (
        f"mAP {quality.map_11:.2f} % (11 points), {quality.map_area:.2f} % (area), "
        f"{quality.map_coco:.2f} % (COCO)"
    )
