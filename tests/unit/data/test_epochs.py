"""Batches shared out among processes: together they are the batch, and nothing comes twice."""

import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from nas.data import DatasetInfo, FileLoader, ImageFiles, TensorLoader, TrainTransform
from nas.distributed.launch import Share
from nas.errors import CheckpointError

INFO = DatasetInfo("noise", ("a", "b"), 8, (0.5,) * 3, (0.25,) * 3)
NUM, BATCH = 23, 8


@pytest.fixture(params=["tensors", "files"])
def make(request, tmp_path):
    """Make a loader of one share, of either kind."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (NUM, 3, 8, 8), generator=generator, dtype=torch.uint8)
    labels = torch.arange(NUM)
    if request.param == "tensors":
        transform = TrainTransform(INFO, cutout=2)
        return lambda shuffle, share: TensorLoader(
            pixels, labels, BATCH, transform=transform, shuffle=shuffle, seed=1, share=share
        )
    paths = [tmp_path / f"{index}.png" for index in range(NUM)]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    transform = v2.Compose([v2.RandomHorizontalFlip(), v2.ToImage(), v2.ToDtype(torch.float32)])
    return lambda shuffle, share: FileLoader(
        ImageFiles(INFO, paths, labels),
        *(BATCH,),
        **{"transform": transform, "shuffle": shuffle, "seed": 1, "share": share},
    )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 30])
def test_parts_are_a_partition(size):
    for num in (0, 1, 5, 8, 23):
        found = [i for rank in range(size) for i in range(num)[Share(rank, size).of(num)]]
        assert found == list(range(num))


@pytest.mark.parametrize("size", [2, 3, 9])
def test_measuring_takes_every_image_once(make, size):
    """Without padding: a process may get an empty part, and all take as many batches."""
    loaders = [make(False, Share(rank, size)) for rank in range(size)]
    labels = [[part for _, part in loader] for loader in loaders]
    assert {len(batches) for batches in labels} == {3}
    assert sorted(torch.cat([torch.cat(batches) for batches in labels]).tolist()) == [*range(NUM)]


@pytest.mark.parametrize("size", [2, 4])
def test_training_parts_make_up_the_batch_of_one_process(make, size):
    """Images, order, crops and flips; the last batch is cut so that all parts are of one size."""
    whole = list(make(True, Share()))
    shares = [list(make(True, Share(rank, size))) for rank in range(size)]
    assert len({len(share) for share in shares}) == 1
    for index, parts in enumerate(zip(*shares, strict=True)):
        images, labels = (torch.cat(part) for part in zip(*parts, strict=True))
        assert len({len(part[1]) for part in parts}) == 1
        assert torch.equal(labels, whole[index][1][: len(labels)])
        if index < 2:  # the random numbers of the cut batch are drawn for fewer images
            assert torch.equal(images, whole[index][0])
    assert sum(len(part[1]) for share in shares for part in share) == NUM - NUM % BATCH % size


@pytest.mark.parametrize("position", [-1, 3, 10**9, "1", None, 1.0])
def test_a_place_that_is_none_is_refused(make, position):
    loader = make(True, Share())
    with pytest.raises(CheckpointError, match="is at batch"):
        loader.load_state_dict(loader.state_dict() | {"position": position})
