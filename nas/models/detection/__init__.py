"""Detectors: SSDLite320 with MobileNeXt or MobileNetV2, and what it is trained with."""

from nas.models.detection.checkpoint import TrainedDetector, detector_of, load_detector
from nas.models.detection.multibox import match, multibox_loss, num_matched
from nas.models.detection.postprocess import Detections, detections_of
from nas.models.detection.priors import IMAGE_SIZE, RATIOS, make_priors
from nas.models.detection.ssdlite import DETECTORS, SSDLite, backbone_name, build_detector

__all__ = [
    "DETECTORS",
    "IMAGE_SIZE",
    "RATIOS",
    "Detections",
    "SSDLite",
    "TrainedDetector",
    "backbone_name",
    "build_detector",
    "detections_of",
    "detector_of",
    "load_detector",
    "make_priors",
    "match",
    "multibox_loss",
    "num_matched",
]
