"""What is done to images and boxes before a detector sees them.

Source: SSD (arXiv:1512.02325), Sec. 2.2, data augmentation; its distortions, expansion and crops
are torchvision's.
"""

import torch
from torchvision.transforms import v2

from nas.data.imagefolder import IMAGENET_MEAN, IMAGENET_STD

MEAN_COLOR = (123, 117, 104)
"""RGB around an image that was made smaller."""


def train_transform(
    image_size: int,
    *,
    photometric_distortion: bool = True,
    expand: bool = True,
    iou_crop: bool = True,
    horizontal_flip: bool = True,
) -> v2.Transform:
    """Return the augmentation of SSD, from (image, boxes, labels) to the same at a fixed size.

    Args:
        image_size: Height and width of the result, pixels.
        photometric_distortion: Change brightness, contrast, saturation and hue, and the order of
            the channels.
        expand: Put every other image on a canvas of up to four times its side.
        iou_crop: Cut out a part that overlaps an object by a random amount.
        horizontal_flip: Mirror every other image left to right.
    """
    steps: list[v2.Transform] = []
    if photometric_distortion:
        steps.append(v2.RandomPhotometricDistort())
    if expand:
        steps.append(v2.RandomZoomOut(fill=list(MEAN_COLOR)))
    if iou_crop:
        steps.append(v2.RandomIoUCrop())
    if horizontal_flip:
        steps.append(v2.RandomHorizontalFlip())
    steps += [v2.Resize((image_size, image_size)), v2.SanitizeBoundingBoxes(labels_getter=_labels)]
    return v2.Compose([*steps, *_to_input()])


def eval_transform(image_size: int) -> v2.Transform:
    """Return the transform of test images: their whole area at a fixed size."""
    return v2.Compose([v2.Resize((image_size, image_size)), *_to_input()])


def _to_input() -> list[v2.Transform]:
    return [
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(list(IMAGENET_MEAN), list(IMAGENET_STD)),
    ]


def _labels(inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return inputs[2]
