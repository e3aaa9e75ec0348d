"""Loaders with a GPU that does not exist: batches are on it, and nothing waits for it."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import nas.data.file_loader
from nas.data import TrainTransform
from nas.data.epochs import Epochs
from nas.data.file_loader import SampleLoader
from nas.distributed.launch import WHOLE
from nas.runtime.compute import Compute
from tests.gpu.fake import GPU, fake_gpu
from tests.gpu.searches import BATCH, INFO, SIZE, loader

ON_GPU = Compute(GPU, memory_format=torch.channels_last)


@pytest.mark.parametrize("fits", [True, False], ids=["images_on_gpu", "images_on_host"])
def test_no_batch_waits(fits, monkeypatch):
    """Whether the images fit or not; but for the first, which brings mean and deviation."""
    monkeypatch.setattr("nas.data.loaders._fits", lambda images, device: fits)
    with fake_gpu() as gpu:
        images = loader(ON_GPU, 1, TrainTransform(INFO, cutout=4))
        batches = iter(images)
        next(batches)
        with gpu.counted() as found:
            for x, y in batches:
                assert (x.device, y.device) == (GPU, GPU)
                assert x.shape == (BATCH, 3, SIZE, SIZE) and x.dtype is torch.float32
                assert x.is_contiguous(memory_format=torch.channels_last)
        assert (images._images.device == GPU) == fits
    assert found == []


def test_files_come_through_pinned_memory(monkeypatch):
    """The DataLoader pins, which it needs a real GPU for, and the copy does not wait."""

    def pinning(*args, pin_memory, **settings):
        assert pin_memory
        for batch in DataLoader(*args, **settings):
            yield [part.pin_memory() for part in batch]

    monkeypatch.setattr(nas.data.file_loader, "DataLoader", pinning)
    samples = TensorDataset(torch.zeros(4, 3, 8, 8), torch.zeros(4, dtype=torch.int64))
    with fake_gpu() as gpu:
        found = list(SampleLoader(samples, Epochs(4, 2, False, WHOLE), seed=0, device=GPU))
    assert len(found) == 2 and gpu.waits == []
    assert all(part.device == GPU for batch in found for part in batch)
