"""Measure a trained detector on a split, or use it on any images."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as tvf

from nas.config import DetectConfig, EvaluateDetectConfig, PredictConfig
from nas.data.decoding import CORRUPT_ADVICE, read_image
from nas.data.voc import VocSet, eval_transform, load_voc
from nas.detect.data import test_loader
from nas.detect.measure import detect, measure
from nas.detect.pictures import NUM_IN_GRID, detection_figure, grid_figure, ranked
from nas.detection_record import DetectionEvaluation
from nas.distributed.launch import Share
from nas.distributed.session import join_ranks
from nas.errors import ConfigError, DataError
from nas.files import write_files
from nas.models.detection import IMAGE_SIZE, Detections, TrainedDetector, load_detector
from nas.png import png_bytes
from nas.runtime.compute import Compute, select_compute


def evaluate_detector(
    config: EvaluateDetectConfig,
) -> tuple[DetectionEvaluation, VocSet, list[Detections]]:
    """Measure a checkpoint on a split of VOC folders.

    Raises:
        CheckpointError: It is not of a detector.
        ConfigError: The classes are not those of the detector.
        DataError: The images cannot be used.
    """
    trained = load_detector(config.evaluate)
    if config.classes and config.classes != trained.classes:
        raise ConfigError(
            f"classes: found {', '.join(config.classes)}, but {trained.where} has "
            f"{', '.join(trained.classes)}; leave `classes` out"
        )
    compute = select_compute(config)
    images = load_voc(
        config.data, config.test_split, trained.classes, skip_corrupt=config.skip_corrupt
    )
    settings = DetectConfig(
        data=config.data, workers=config.workers, eval_batch_size=config.eval_batch_size
    )
    with join_ranks(compute.device) as ranks:
        compute.place(trained.net)
        loader = test_loader(images, settings, compute, Share(ranks.rank, ranks.size))
        detections = detect(trained.net, loader, compute=compute, ranks=ranks)
    return measure(images, detections, config.test_split), images, detections


def predict(config: PredictConfig) -> list[Path]:
    """Detect objects in images; write a picture of each, and detections.json.

    Returns:
        The files that were written, detections.json last.

    Raises:
        CheckpointError: The checkpoint is not of a detector.
        DataError: There is no image, or one cannot be read.
    """
    trained = load_detector(config.checkpoint)
    out, paths = Path(config.out), list(_image_files(config.images))
    names = [f"{path.stem}.png" for path in paths]
    if same := [name for name, number in Counter(names).items() if number > 1]:
        raise DataError(
            f"images: two pictures would be {out / same[0]}; give their images one by one, each "
            "with another `out`"
        )
    inputs = {path.resolve() for path in paths}
    for name in names:
        if (out / name).resolve() in inputs:
            raise DataError(
                f"out: {out / name} is one of the images and would be overwritten; name another "
                "folder"
            )
    compute = select_compute(config)
    compute.place(trained.net)
    document, written = {}, []
    for path, name in zip(paths, names, strict=True):
        image, found = _detect_one(trained, path, compute)
        figure = detection_figure(image, found, trained.classes, config.min_score)
        written += write_files({out / name: png_bytes(figure)})
        document[path.name] = _entries(found, image.size, trained.classes, config.min_score)
    text = json.dumps(document, indent=1) + "\n"
    return [*written, *write_files({out / "detections.json": text.encode()})]


def write_grids(path: Path, images: VocSet, detections: Sequence[Detections]) -> list[Path]:
    """Write best.png and worst.png, the test images on which a detector does best and worst."""
    order = ranked(images, detections)
    if not order:
        return []
    halves = {"best": order[:NUM_IN_GRID], "worst": order[::-1][:NUM_IN_GRID]}
    grids = {
        path / f"{name}.png": png_bytes(
            grid_figure(images, detections, chosen, f"the {name} test images; objects are dashed")
        )
        for name, chosen in halves.items()
    }
    return write_files(grids)


@torch.no_grad()
def _detect_one(
    trained: TrainedDetector, path: Path, compute: Compute
) -> tuple[Image.Image, Detections]:
    try:
        image = read_image(path).image
    except DataError as cause:  # there is no `skip_corrupt` here
        problem = str(cause).removesuffix(CORRUPT_ADVICE)
        raise DataError(f"{problem}; leave it out of `images`") from cause
    pixels = eval_transform(IMAGE_SIZE)(tv_tensors.Image(tvf.pil_to_tensor(image)))
    with compute.autocast():
        (found,) = trained.net(pixels.as_subclass(torch.Tensor)[None].to(compute.device))
    return image, Detections(*(tensor.cpu() for tensor in found))


def _entries(
    found: Detections, size: tuple[int, int], classes: Sequence[str], min_score: float
) -> list[dict[str, object]]:
    scale = torch.tensor([*size, *size])
    return [
        {
            "class": classes[int(label)],
            "score": round(float(score), 4),
            "box": [round(value, 1) for value in (box * scale).tolist()],
        }
        for box, score, label in zip(*found, strict=True)
        if score >= min_score
    ]


def _image_files(names: Sequence[str]) -> Iterator[Path]:
    """Yield files, and the files of folders, in order of their names."""
    for name in names:
        path = Path(name)
        if path.is_dir():
            files = sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != ".")
            if not files:
                raise DataError(f"images: {path} has no file; name images or a folder of images")
            yield from files
        elif path.is_file():
            yield path
        else:
            raise DataError(f"images: {path} does not exist; name images or a folder of images")
