"""Detectors on VOC-style folders: training, measuring, and pictures of the detections."""

from nas.detect.measure import detect, measure
from nas.detect.run import DetectResult, train_detector
from nas.detect.trainer import DetectTrainer

__all__ = ["DetectResult", "DetectTrainer", "detect", "measure", "train_detector"]
