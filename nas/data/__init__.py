"""Data: a data set as one uint8 tensor, augmented and normalised by the batch.

`load_dataset` reads a split, `stratified_split` divides it, and a `TensorLoader` with a
`TrainTransform` or an `EvalTransform` hands out its batches. ImageNet stays in files:
`load_imagenet` and `FileLoader`.
"""

from nas.data.datasets import dataset_names, load_dataset
from nas.data.imagenet import FileLoader, ImageFiles, load_imagenet
from nas.data.loaders import TensorLoader
from nas.data.placement import place_images
from nas.data.records import DatasetInfo, ImageSet
from nas.data.splits import SubsetError, stratified_split, stratified_subset
from nas.data.transforms import EvalTransform, TrainTransform

__all__ = [
    "DatasetInfo",
    "EvalTransform",
    "FileLoader",
    "ImageFiles",
    "ImageSet",
    "SubsetError",
    "TensorLoader",
    "TrainTransform",
    "dataset_names",
    "load_dataset",
    "load_imagenet",
    "place_images",
    "stratified_split",
    "stratified_subset",
]
