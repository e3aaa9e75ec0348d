"""Data: a dataset as one uint8 tensor, augmented and normalized batch by batch.

`load_dataset` reads a split, `stratified_split` divides it, and a `TensorLoader` with a
`TrainTransform` or an `EvalTransform` yields its batches. ImageNet stays in files:
`load_imagenet` and `FileLoader`.
"""

from nas.data.datasets import dataset_names, load_dataset
from nas.data.file_loader import FileLoader
from nas.data.image_sets import DatasetInfo, ImageFiles, ImageSet
from nas.data.imagenet import load_imagenet
from nas.data.loaders import TensorLoader
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
    "stratified_split",
    "stratified_subset",
]
