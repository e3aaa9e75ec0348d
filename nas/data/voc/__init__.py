"""Images with boxes, in the folders and XML files of Pascal VOC."""

from nas.data.voc.annotations import VocObject, read_annotation
from nas.data.voc.folder import VocImage, VocSet, load_voc
from nas.data.voc.samples import TestSamples, TrainSamples
from nas.data.voc.transforms import eval_transform, train_transform

__all__ = [
    "TestSamples",
    "TrainSamples",
    "VocImage",
    "VocObject",
    "VocSet",
    "eval_transform",
    "load_voc",
    "read_annotation",
    "train_transform",
]
