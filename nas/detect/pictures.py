"""Detections drawn on images: solid boxes with class and score, objects of the file dashed."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor
from torchvision.ops import box_iou

from nas.data.decoding import read_image
from nas.data.voc import VocImage, VocSet
from nas.models.detection import Detections

MIN_SCORE = 0.4
"""Detections with lower scores are not drawn."""
NUM_IN_GRID = 6
_COLORS = ("#0077BB", "#EE7733", "#009988", "#CC3311", "#EE3377", "#33BBEE")
_TRUTH = "#FFFFFF"
_DPI = 100
_LABEL_HEIGHT = 0.04
"""Part of the height of a picture; a label that would be cut off is put inside its box."""


def detection_figure(
    image: Image.Image,
    found: Detections,
    classes: Sequence[str],
    min_score: float = MIN_SCORE,
) -> Figure:
    """Draw the detections of one image, at the size of the image."""
    width, height = image.size
    figure = Figure(figsize=(max(width, 64) / _DPI, max(height, 64) / _DPI), dpi=_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    _draw(axes, image, found, classes, min_score)
    return figure


def grid_figure(
    images: VocSet, detections: Sequence[Detections], chosen: Sequence[int], title: str
) -> Figure:
    """Draw several test images with their detections and, dashed, the objects of the file.

    Args:
        images: The test images.
        detections: Of each of them.
        chosen: Which ones are drawn.
        title: Above the grid.
    """
    num_rows = -(-len(chosen) // 3)
    figure = Figure(figsize=(12, 0.5 + 3.2 * num_rows), layout="constrained")
    figure.suptitle(title)
    for place, index in enumerate(chosen, start=1):
        item = images.images[index]
        axes = figure.add_subplot(num_rows, 3, place)
        _draw(axes, read_image(item.path).image, detections[index], images.classes, MIN_SCORE)
        for box in item.boxes:
            _rectangle(axes, box, (item.width, item.height), _TRUTH, "--")
        share = f1_score(item, detections[index])
        axes.set_title(f"{item.path.name}: F1 {share:.2f}", fontsize=8, parse_math=False)
    return figure


def ranked(images: VocSet, detections: Sequence[Detections]) -> list[int]:
    """Return the indices of the images with counted objects, the best one first."""
    scores = {
        index: f1_score(item, found)
        for index, (item, found) in enumerate(zip(images.images, detections, strict=True))
        if bool((~item.difficult).any())
    }
    return sorted(scores, key=lambda index: (-scores[index], index))


def f1_score(item: VocImage, found: Detections, min_score: float = MIN_SCORE) -> float:
    """Return 2 * right / (detections + objects) of an image, in [0, 1].

    A detection with at least `min_score` is right if it overlaps a free object of its class by
    half; detections of difficult objects are not counted.
    """
    kept = found.scores >= min_score
    free = set(range(len(item.labels)))
    right = ignored = 0
    overlaps = box_iou(found.boxes[kept], item.boxes)
    for row, label in zip(overlaps, found.labels[kept], strict=True):
        matches = [i for i in free if item.labels[i] == label and row[i] >= 0.5]
        if not matches:
            continue
        best = max(matches, key=lambda i: float(row[i]))
        if item.difficult[best]:
            ignored += 1
        else:
            right += 1
            free.remove(best)
    total = int(kept.sum()) - ignored + int((~item.difficult).sum())
    return 2 * right / total if total else 1.0


def _draw(
    axes: Axes, image: Image.Image, found: Detections, classes: Sequence[str], min_score: float
) -> None:
    axes.imshow(image)
    axes.set_axis_off()
    for box, score, label in zip(*found, strict=True):
        if score < min_score:
            continue
        color = _COLORS[int(label) % len(_COLORS)]
        _rectangle(axes, box, image.size, color, "-")
        axes.text(
            float(box[0]) * image.size[0],
            float(box[1]) * image.size[1],
            f"{classes[int(label)]} {float(score):.2f}",
            fontsize=7,
            color="white",
            va="bottom" if box[1] > _LABEL_HEIGHT else "top",
            parse_math=False,
            clip_on=True,
            bbox={"facecolor": color, "edgecolor": "none", "pad": 1},
        )


def _rectangle(axes: Axes, box: Tensor, size: tuple[int, int], color: str, line: str) -> None:
    left, top, right, bottom = (
        float(value) * length for value, length in zip(box, size * 2, strict=True)
    )
    axes.add_patch(
        Rectangle(
            (left, top), right - left, bottom - top, fill=False, color=color, linestyle=line, lw=1.5
        )
    )
