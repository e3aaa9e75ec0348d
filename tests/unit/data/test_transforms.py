"""Batched augmentation, held against torchvision's operations on single images."""

import itertools

import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from nas.data import DatasetInfo, EvalTransform, TrainTransform
from nas.data.transforms import crop_and_flip, cut_out_
from nas.errors import ConfigError

INFO = DatasetInfo("noise", ("a", "b"), 32, (0.49, 0.48, 0.44), (0.24, 0.25, 0.26))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(num, size=32):
    return torch.randint(1, 256, (num, 3, size, size), generator=seeded(), dtype=torch.uint8)


def reference_crop(image, top, left, flip, padding, size):
    """What torchvision's RandomCrop(size, padding) and RandomHorizontalFlip do with given draws."""
    cropped = tv.crop(tv.pad(image, [padding] * 4), top, left, size, size)
    return tv.horizontal_flip(cropped) if flip else cropped


@pytest.mark.parametrize(("size", "padding"), [(32, 4), (17, 2), (8, 1)])
def test_crop_and_flip_equal_torchvision_at_every_offset(size, padding):
    """Every offset, mirrored or not, gives the pixels that torchvision gives."""
    steps = range(2 * padding + 1)
    cases = list(itertools.product(steps, steps, [False, True]))
    images = noise(len(cases), size)
    before = images.clone()
    top, left, flips = zip(*cases, strict=True)
    found = crop_and_flip(images, torch.tensor([top, left]), torch.tensor(flips), padding)
    for index, case in enumerate(cases):
        expected = reference_crop(images[index], *case, padding, size)
        assert torch.equal(found[index], expected), case
    assert torch.equal(images, before)


def test_normalisation_equals_torchvision():
    """Evaluation is (x / 255 - mean) / std, for every value of a pixel."""
    images = torch.arange(256, dtype=torch.uint8).repeat(3 * 4).view(1, 3, 32, 32)
    expected = tv.normalize(tv.to_dtype(images, torch.float32, scale=True), INFO.mean, INFO.std)
    found = EvalTransform(INFO)(images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_dtype_and_memory_format_are_those_asked():
    """The settings of the output are obeyed and do not change its values."""
    images = noise(5)
    plain = EvalTransform(INFO)(images)
    last = EvalTransform(INFO).apply(images, None, torch.channels_last)
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, plain)
    double = TrainTransform(INFO, dtype=torch.float64)(images, seeded())
    assert double.dtype == torch.float64
    single = TrainTransform(INFO)(images, seeded())
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-5)


def test_crops_pad_with_black_before_normalisation():
    """The border that a crop brings in is raw 0, that is -mean / std, not 0 after normalisation."""
    white = torch.full((64, 3, 32, 32), 255, dtype=torch.uint8)
    found = TrainTransform(INFO)(white, seeded())
    for channel, (mean, std) in enumerate(zip(INFO.mean, INFO.std, strict=True)):
        values = found[:, channel].unique()
        assert values.tolist() == pytest.approx([-mean / std, (1 - mean) / std], rel=1e-5)


def drawn(num, size=32):
    """Recover the offsets and flips of a training transform from images that state positions.

    Channel 0 holds 1 + the row, channel 1 holds 1 + the column, so the middle pixel of a crop says
    where it came from.
    """
    position = torch.arange(1, size + 1, dtype=torch.uint8)
    images = torch.zeros(num, 3, size, size, dtype=torch.uint8)
    images[:, 0] = position.view(1, -1, 1)
    images[:, 1] = position.view(1, 1, -1)
    raw = DatasetInfo("raw", ("a",), size, (0.0,) * 3, (1 / 255,) * 3)
    found = TrainTransform(raw)(images, seeded(5)).round().long()
    middle = size // 2
    flips = found[:, 1, middle, middle] > found[:, 1, middle, middle + 1]
    top = found[:, 0, middle, middle] - 1 - middle
    column = torch.where(flips, size - 1 - middle, middle)
    left = found[:, 1, middle, middle] - 1 - column
    return top, left, flips


def test_all_81_offsets_are_equally_likely():
    """Crop offsets are uniform over the 9 x 9 places and flips are half, independent of them."""
    num = 16_200
    top, left, flips = drawn(num)
    assert (top.min(), top.max(), left.min(), left.max()) == (-4, 4, -4, 4)
    cells = ((top + 4) * 9 + left + 4).bincount(minlength=81).double()
    expected = num / 81
    chi_square = ((cells - expected) ** 2 / expected).sum().item()
    assert 40 < chi_square < 130  # 80 degrees of freedom: 99.9 % of draws lie within 44 and 125
    assert abs(flips.double().mean().item() - 0.5) < 4 * 0.5 / num**0.5
    joint = torch.stack([top, left, flips.long()]).double()
    assert torch.corrcoef(joint).fill_diagonal_(0).abs().max() < 4 / num**0.5


def test_padding_grows_with_the_image():
    """At 64 pixels the crop shifts by up to 8, in proportion to the 4 at 32."""
    top, left, _ = drawn(2000, size=64)
    assert (top.min(), top.max(), left.min(), left.max()) == (-8, 8, -8, 8)


def reference_cutout(image, row, column, length):
    """The lines of the reference code: clip the corners, multiply by a mask."""
    height, width = image.shape[-2:]
    y1, y2 = max(row - length // 2, 0), min(row + length // 2, height)
    x1, x2 = max(column - length // 2, 0), min(column + length // 2, width)
    mask = torch.ones_like(image)
    mask[:, y1:y2, x1:x2] = 0.0
    return image * mask


@pytest.mark.parametrize("length", [1, 2, 7, 16, 64])
def test_cutout_equals_the_reference_at_every_centre(length):
    """The square is the reference's for each of the 32 x 32 centres, clipped at the borders."""
    rows, columns = torch.cartesian_prod(torch.arange(32), torch.arange(32)).unbind(1)
    images = torch.rand(1024, 3, 32, 32, generator=seeded()) + 1
    expected = torch.stack(
        [
            reference_cutout(image, row, column, length)
            for image, row, column in zip(images, rows.tolist(), columns.tolist(), strict=True)
        ]
    )
    assert torch.equal(cut_out_(images, torch.stack([rows, columns]), length), expected)


def test_cutout_is_zero_after_normalisation_and_uniform():
    """The transform blanks with 0 after normalisation, at centres uniform over the image."""
    num, length = 4096, 16
    white = torch.full((num, 3, 32, 32), 255, dtype=torch.uint8)
    hidden = (TrainTransform(INFO, cutout=length)(white, seeded()) == 0).all(1)
    # Rows hidden on average: of 32 centres, 8 + c for the 8 near the top, 16, then 8 + (32 - c).
    reach = [min(c + 8, 32) - max(c - 8, 0) for c in range(32)]
    expected = (sum(reach) / 32) ** 2
    assert hidden.sum((1, 2)).double().mean().item() == pytest.approx(expected, rel=0.02)
    assert hidden.sum((1, 2)).min() == 64  # a corner keeps a quarter of the square
    assert hidden.sum((1, 2)).max() == 256


def test_no_cutout_by_default():
    """The search's setting hides nothing and draws the same crops as with cutout."""
    images = noise(64)
    plain = TrainTransform(INFO)(images, seeded())
    cut = TrainTransform(INFO, cutout=16)(images, seeded())
    assert not (plain == 0).all(1).any()
    changed = (plain != cut).any(1)
    assert changed.any()
    assert (cut.permute(0, 2, 3, 1)[changed] == 0).all()


def test_the_generator_decides_everything():
    """The same generator state gives the same batch; the global generator plays no part."""
    images = noise(16)
    transform = TrainTransform(INFO, cutout=8)
    first = transform(images, seeded(3))
    torch.manual_seed(99)
    assert torch.equal(transform(images, seeded(3)), first)
    assert not torch.equal(transform(images, seeded(4)), first)


def test_without_flips_the_crops_stay():
    """No image is mirrored, and all else is drawn as with flips."""
    images = noise(64)
    kept = TrainTransform(INFO, cutout=8, horizontal_flip=False)
    with_flips = TrainTransform(INFO, cutout=8).draw(seeded(), 64)
    draws = kept.draw(seeded(), 64)
    assert with_flips[2].any() and not draws[2].any()
    for row in (0, 1, 3, 4):
        assert torch.equal(draws[row], with_flips[row])
    expected = TrainTransform(INFO, cutout=8).apply(images, draws)
    assert torch.equal(kept(images, seeded()), expected)


@pytest.mark.parametrize(("size", "cutout", "fits"), [(8, 16, 4), (8, 8, 4), (32, 32, 16)])
def test_a_cutout_of_whole_images_is_refused(size, cutout, fits):
    """16 pixels are the recipe at 32 x 32; at 8 x 8 they would blank every image."""
    info = INFO.at_size(size)
    message = f"^cutout: found {cutout}, .* 0 .off. to {size - 1}; .* {fits}$"
    with pytest.raises(ConfigError, match=message):
        TrainTransform(info, cutout=cutout)
    white = torch.full((256, 3, size, size), 255, dtype=torch.uint8)
    augmented = TrainTransform(info, cutout=size - 1)(white, seeded())
    assert (augmented != 0).flatten(1).any(1).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "random crops padded by 4, horizontal flips, no cutout"),
        ({"cutout": 16}, "random crops padded by 4, horizontal flips, cutout 16"),
        ({"horizontal_flip": False}, "random crops padded by 4, no flips, no cutout"),
    ],
)
def test_what_is_on_can_be_said(settings, words):
    assert str(TrainTransform(INFO, **settings)) == words
