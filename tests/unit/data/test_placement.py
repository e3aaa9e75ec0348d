"""Where images lie: on the device where they fit, with the channels of a pixel side by side."""

import pytest
import torch

from nas.data import DatasetInfo, TensorLoader, TrainTransform, placement

INFO = DatasetInfo("noise", ("a", "b"), 8, (0.5,) * 3, (0.25,) * 3)
IMAGES = torch.randint(256, (23, 3, 8, 8), dtype=torch.uint8)
CUDA = torch.device("cuda")


def test_images_are_in_channels_last_and_not_copied_twice():
    """The values stay; images that are placed already are handed back as they are."""
    placed = placement.place_images(IMAGES, "cpu")
    assert placed.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(placed, IMAGES)
    assert placement.place_images(placed, "cpu").data_ptr() == placed.data_ptr()


def test_images_that_do_not_fit_stay_in_memory(monkeypatch):
    """Half of a GPU's free memory is the limit."""
    for free, fits in ((2 * IMAGES.nbytes, True), (2 * IMAGES.nbytes - 1, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 10 * free))
        assert placement._fits(IMAGES, CUDA) is fits
    placed = placement.place_images(IMAGES, CUDA)
    assert placed.device.type == "cpu"
    assert placed.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("cutout", [0, 2])
def test_a_batch_needs_no_conversion(memory_format, cutout):
    """It comes in the format that was asked for, with the same values in each."""
    batches = []
    for form in (memory_format, torch.contiguous_format):
        transform = TrainTransform(INFO, cutout, memory_format=form)
        loader = TensorLoader(
            IMAGES, torch.arange(23), 5, transform=transform, shuffle=True, seed=0
        )
        batches.append([images for images, _ in loader])
    for found, plain in zip(*batches, strict=True):
        assert found.is_contiguous(memory_format=memory_format)
        assert torch.equal(found, plain)
