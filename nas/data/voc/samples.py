"""Images with boxes as samples of a loader: decoded and transformed one by one."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tvf

from nas.data.decoding import read_image
from nas.data.voc.folder import VocImage, VocSet


class TrainSamples(Dataset):
    """Augmented images, and what a detector should answer."""

    def __init__(
        self, images: VocSet, transform: v2.Transform, encode: Callable[[Tensor, Tensor], Tensor]
    ):
        """Note what is done to an image.

        Args:
            images: The images; difficult objects are left out.
            transform: See `nas.data.voc.transforms`.
            encode: From boxes (objects, 4) in units of the image and labels (objects,) to the
                target of the image.
        """
        self.images = images.images
        self.transform = transform
        self.encode = encode

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return a float image (3, S, S) and its target."""
        item = self.images[index]
        pixels = _pixels(item)
        height, width = pixels.shape[-2:]
        kept = ~item.difficult
        boxes = tv_tensors.BoundingBoxes(
            item.boxes[kept] * torch.tensor([width, height, width, height]),
            format="XYXY",
            canvas_size=(height, width),
        )
        image, boxes, labels = self.transform(pixels, boxes, item.labels[kept])
        height, width = image.shape[-2:]
        corners = boxes.as_subclass(Tensor) / torch.tensor([width, height, width, height])
        return image.as_subclass(Tensor), self.encode(corners, labels)


class TestSamples(Dataset):
    """Whole images, and their numbers."""

    __test__ = False  # not a test, although pytest would think so

    def __init__(self, images: VocSet, transform: v2.Transform):
        self.images = images.images
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return a float image (3, S, S) and its index."""
        image = self.transform(_pixels(self.images[index]))
        return image.as_subclass(Tensor), torch.tensor(index)


def _pixels(item: VocImage) -> tv_tensors.Image:
    return tv_tensors.Image(tvf.pil_to_tensor(read_image(item.path).image))
