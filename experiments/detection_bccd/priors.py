"""Print how the priors of the detector fit the boxes of each class, as a table in Markdown.

    python experiments/detection_bccd/priors.py BCCD_FOLDER

All training images, each once, as the detector sees them: stretched to 320 x 320.
"""

import argparse

import torch
from torchvision.ops import box_convert, box_iou

from nas.data.voc import VocSet, load_voc
from nas.models.detection import IMAGE_SIZE, make_priors, match
from nas.models.detection.multibox import MIN_IOU

COLUMNS = (
    *("class", "boxes", "median size, pixels", "median of the best IoU"),
    *("without a prior above 0.5, %", "priors above 0.5, median", "matched priors, %"),
)


def main() -> None:
    """Do what the first line of this file says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bccd", help="BCCD in the form of Pascal VOC")
    images = load_voc((parser.parse_args().bccd,), "trainval", skip_corrupt=True)
    for cells in (COLUMNS, ["---"] * len(COLUMNS), *rows(images)):
        print(f"| {' | '.join(cells)} |")


def rows(images: VocSet) -> list[list[str]]:
    """Return the cells of each class."""
    priors = make_priors()
    corners = box_convert(priors, "cxcywh", "xyxy").float()
    matched = torch.stack([match(i.boxes, i.labels, priors)[:, 0] for i in images.images])
    boxes = torch.cat([item.boxes for item in images.images])
    labels = torch.cat([item.labels for item in images.images])
    overlaps = box_iou(boxes, corners)
    sizes = (boxes[:, 2:] - boxes[:, :2]) * IMAGE_SIZE
    table = []
    for label, name in enumerate(images.classes):
        of_class = overlaps[labels == label]
        best, above = of_class.max(dim=1).values, (of_class > MIN_IOU).sum(dim=1)
        width, height = sizes[labels == label].median(dim=0).values.tolist()
        share = (matched == label + 1).sum() / (matched > 0).sum()
        table.append(
            [
                name,
                str(len(of_class)),
                f"{width:.0f} x {height:.0f}",
                f"{best.median():.2f}",
                f"{100 * (above == 0).float().mean():.0f}",
                f"{above.median()}",
                f"{100 * share:.1f}",
            ]
        )
    return table


if __name__ == "__main__":
    main()
