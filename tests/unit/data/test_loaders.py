"""Batches from tensors, and exact resume."""

import io

import pytest
import torch

from nas.data import DatasetInfo, EvalTransform, TensorLoader, TrainTransform, loaders
from nas.errors import CheckpointError, DataError

INFO = DatasetInfo("noise", ("a", "b"), 8, (0.5,) * 3, (0.25,) * 3)
NUM = 23
IMAGES = torch.randint(
    256, (NUM, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
)
LABELS = torch.arange(NUM)


def make(batch_size=5, *, shuffle=True, seed=0, transform=None, num=NUM):
    transform = transform or TrainTransform(INFO, cutout=2)
    return TensorLoader(
        IMAGES[:num], LABELS[:num], batch_size, transform=transform, shuffle=shuffle, seed=seed
    )


def assert_same(found, expected):
    assert len(found) == len(expected)
    for (images, labels), (wanted_images, wanted_labels) in zip(found, expected, strict=True):
        assert torch.equal(images, wanted_images)
        assert torch.equal(labels, wanted_labels)


@pytest.mark.parametrize(("batch_size", "sizes"), [(5, [5] * 4 + [3]), (23, [23]), (1, [1] * 23)])
def test_an_epoch_has_every_image_once(batch_size, sizes):
    """The batches of an epoch are a permutation of the set; the last, partial one is kept."""
    loader = make(batch_size)
    for _ in range(2):
        labels = [labels for _, labels in loader]
        assert [len(part) for part in labels] == sizes
        assert len(loader) == len(sizes)
        assert sorted(torch.cat(labels).tolist()) == list(range(NUM))


def test_each_epoch_has_its_own_order():
    """A loader that shuffles never repeats an order or its crops."""
    loader = make(NUM)
    (first, first_order), (second, second_order) = next(iter(loader)), next(iter(loader))
    assert not torch.equal(first_order, second_order)
    assert not torch.equal(first[first_order.argsort()], second[second_order.argsort()])


def test_labels_stay_with_their_images():
    """Each label comes with the image that it belongs to."""
    for images, labels in make(transform=EvalTransform(INFO)):
        assert torch.equal(images, EvalTransform(INFO)(IMAGES[labels]))


def test_an_evaluation_loader_keeps_the_order():
    """Without shuffling every image comes once, in order, epoch after epoch."""
    loader = make(shuffle=False, transform=EvalTransform(INFO))
    for _ in range(2):
        batches = list(loader)
        assert torch.equal(torch.cat([labels for _, labels in batches]), LABELS)
        assert torch.equal(
            torch.cat([images for images, _ in batches]), EvalTransform(INFO)(IMAGES)
        )


def test_the_seed_decides_everything():
    """The same seed gives the same epochs; another seed others."""
    assert_same(list(make(seed=4)), list(make(seed=4)))
    one, other = next(iter(make(seed=4))), next(iter(make(seed=5)))
    assert not torch.equal(one[1], other[1])


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("taken", range(13))
def test_resume_is_exact_at_every_position(taken, shuffle):
    """After any number of batches a fresh loader, of any seed, goes on bit for bit."""
    whole = make(shuffle=shuffle)
    expected = [batch for _ in range(4) for batch in whole]

    loader = make(shuffle=shuffle)
    stream = (batch for _ in range(4) for batch in loader)
    for _ in range(taken):
        next(stream)
    file = io.BytesIO()
    torch.save(loader.state_dict(), file)
    file.seek(0)

    resumed = make(shuffle=shuffle, seed=1234)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    rest = list(resumed)
    assert len(rest) == 5 - taken % 5
    while len(rest) + taken < len(expected):
        rest += list(resumed)
    assert_same(rest, expected[taken:])
    # Taking the state changed nothing in the loader that it was taken from.
    assert_same(list(stream), expected[taken:])


def test_a_saved_state_does_not_follow_the_loader():
    """A state is a copy: it stays what it was while the loader goes on, and can be used twice."""
    loader = make()
    next(iter(loader))
    state = loader.state_dict()
    expected = list(loader)
    for _ in range(2):
        resumed = make()
        resumed.load_state_dict(state)
        assert_same(list(resumed), expected)


def test_a_loader_can_go_back():
    """Loading an earlier state into a used loader replays what followed it."""
    loader = make()
    list(loader)
    state = loader.state_dict()
    expected = list(loader)
    next(iter(loader))
    loader.load_state_dict(state)
    assert_same(list(loader), expected)


def test_a_loop_that_was_left_is_continued():
    """What is left of an epoch comes next, so that saving in between cannot make a difference."""
    expected = list(make())
    loader = make()
    iterator = iter(loader)
    next(iterator), next(iterator)
    assert_same(list(loader), expected[2:])


@pytest.mark.parametrize(("num", "batch_size"), [(NUM, 4), (NUM - 1, 5)])
def test_a_state_of_another_loader_is_rejected(num, batch_size):
    """A state of other data or another batch size is an error, not another stream."""
    state = make(batch_size, num=num).state_dict()
    with pytest.raises(CheckpointError, match=r"the saved state has (num_images 22|batch_size 4)"):
        make().load_state_dict(state)


@pytest.mark.parametrize("batch_size", [0, -1, NUM + 1])
def test_a_batch_size_out_of_range_is_rejected(batch_size):
    """A batch larger than the set, or empty, is an error that says what is allowed."""
    with pytest.raises(DataError, match=rf"found {batch_size}, .* 23 images; allowed are 1 to 23"):
        make(batch_size)


class TestPlace:
    """Where images are: on the device if they fit, with the channels of a pixel side by side."""

    def test_images_are_in_channels_last_and_not_copied_twice(self):
        """The values stay; images that are placed already are returned as they are."""
        placed = loaders._place(IMAGES, torch.device("cpu"))
        assert placed.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(placed, IMAGES)
        assert loaders._place(placed, torch.device("cpu")).data_ptr() == placed.data_ptr()

    def test_images_that_do_not_fit_stay_in_memory(self, monkeypatch):
        """Half of a GPU's free memory is the limit."""
        cuda = torch.device("cuda")
        for free, fits in ((2 * IMAGES.nbytes, True), (2 * IMAGES.nbytes - 1, False)):
            memory = (free, 10 * free)
            monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, memory=memory: memory)
            assert loaders._fits(IMAGES, cuda) is fits
        placed = loaders._place(IMAGES, cuda)
        assert placed.device.type == "cpu"
        assert placed.is_contiguous(memory_format=torch.channels_last)

    @pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
    @pytest.mark.parametrize("cutout", [0, 2])
    def test_a_batch_needs_no_conversion(self, memory_format, cutout):
        """It comes in the format that the loader was given, with the same values in each."""
        batches = []
        for form in (memory_format, torch.contiguous_format):
            loader = TensorLoader(
                IMAGES,
                LABELS,
                5,
                transform=TrainTransform(INFO, cutout),
                shuffle=True,
                seed=0,
                memory_format=form,
            )
            batches.append([images for images, _ in loader])
        for images, plain in zip(*batches, strict=True):
            assert images.is_contiguous(memory_format=memory_format)
            assert torch.equal(images, plain)


def test_in_order_shares_the_images():
    """Another loader of the same tensors: in order, with its own seed and its own position."""
    loader = make()
    next(iter(loader))
    ordered = loader.in_order(7)
    assert ordered._images is loader._images and ordered._labels is loader._labels
    same = TensorLoader(
        IMAGES, LABELS, 5, transform=TrainTransform(INFO, cutout=2), shuffle=False, seed=7
    )
    assert_same(list(ordered), list(same))
    assert len(list(loader)) == 4  # the rest of its own epoch
