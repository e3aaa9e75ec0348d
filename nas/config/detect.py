"""The settings of the detection programs; the defaults are the recipe of the MobileNeXt paper.

Source: MobileNeXt (arXiv:2007.02269), Sec. 4.3, and the authors' SSDLite configuration: 4 GPUs with
24 images each, so `batch_size` 96 and a learning rate of 0.004; per process it is 24 images and
0.001 for 240,000 iterations.
"""

from dataclasses import dataclass

from nas.config.compute import ComputeConfig, DeviceConfig
from nas.config.fields import check_ranges, setting
from nas.config.run import RunConfig
from nas.errors import ConfigError


@dataclass(frozen=True)
class DetectConfig(ComputeConfig, RunConfig):
    """Settings of training a detector on a folder in the form of Pascal VOC."""

    model: str = setting("ssdlite320_mobilenext", group="network")
    """ssdlite320_mobilenext or ssdlite320_mobilenet_v2; ssdlite320_mobilenext_0.5 has another
    width."""
    backbone_weights: str | None = setting(None, group="network", is_path=True)
    """Start from the layers of this classifier: a checkpoint of augment.py or of the authors."""
    data: tuple[str, ...] = setting((), group="data", is_path=True)
    """VOC folders, whose images are joined: Annotations, JPEGImages, ImageSets/Main."""
    train_split: str = setting("trainval", group="data")
    """Training images: the name of a file in ImageSets/Main."""
    test_data: tuple[str, ...] = setting((), group="data", is_path=True)
    """VOC folders of the test images; none takes those of `data`."""
    test_split: str = setting("test", group="data")
    """Test images."""
    classes: tuple[str, ...] = setting((), group="data")
    """Names of the classes; none takes those in the training annotations."""
    skip_corrupt: bool = setting(False, group="data")
    """Leave out images and boxes that cannot be used, and list them. By default one is an error."""
    out: str | None = setting(None, group="run", is_path=True)
    """Run directory; null is runs/detect-MODEL-seedSEED."""
    resume: bool = setting(False, group="run")
    """Continue the run in `out`; settings that are not given are read from there."""

    iterations: int = setting(60_000, minimum=1, group="budget")
    """Steps of the optimizer."""
    batch_size: int = setting(96, minimum=2, group="budget")
    """Images per step, over all processes."""
    eval_interval: int = setting(5_000, minimum=1, group="budget")
    """Iterations between measurements on the test images; must divide `iterations`."""
    seed: int = setting(0, minimum=0, maximum=2**31 - 1, group="budget")
    """Seed of the weights, of the order of the images and of the augmentation."""
    workers: int = setting(4, minimum=0, maximum=256, group="arithmetic")
    """Processes that decode images; 0 decodes in the training process."""
    eval_batch_size: int = setting(32, minimum=1, group="arithmetic")
    """Images per batch when measuring; changes memory and speed, not results."""

    photometric_distortion: bool = setting(True, group="regularization")
    """Change brightness, contrast, saturation and hue of half of the training images."""
    expand: bool = setting(True, group="regularization")
    """Put half of the training images on a canvas of up to four times their side."""
    iou_crop: bool = setting(True, group="regularization")
    """Cut out parts of training images that overlap an object by a random amount."""
    horizontal_flip: bool = setting(True, group="regularization")
    """Mirror half of the training images left to right."""
    weight_decay: float = setting(5e-4, minimum=0, group="regularization")
    """Weight decay of all weights."""

    learning_rate: float = setting(0.004, above=0, group="optimization")
    """Learning rate after the warm-up."""
    momentum: float = setting(0.9, minimum=0, below=1, group="optimization")
    """Momentum of SGD."""
    warmup_iterations: int = setting(1_000, minimum=0, group="optimization")
    """Number of first iterations in which the learning rate rises linearly."""
    warmup_factor: float = setting(0.1333, above=0, maximum=1, group="optimization")
    """Part of the learning rate at the start of the warm-up."""
    decay_iterations: tuple[int, ...] = setting((40_000, 50_000), minimum=1, group="optimization")
    """Iterations after which the learning rate falls."""
    decay_factor: float = setting(0.1, above=0, maximum=1, group="optimization")
    """Factor of each fall."""
    negatives: int = setting(3, minimum=1, maximum=100, group="optimization")
    """Background priors in the loss for each prior that matches an object."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.data:
            raise ConfigError("`data` is missing; name a folder in the form of Pascal VOC")
        if self.iterations % self.eval_interval:
            raise ConfigError(
                f"eval_interval: found {self.eval_interval}, which does not divide `iterations` "
                f"{self.iterations}; the test images are measured after each interval"
            )
        if list(self.decay_iterations) != sorted(set(self.decay_iterations)):
            raise ConfigError(
                f"decay_iterations: expected rising numbers, found {list(self.decay_iterations)}"
            )
        if any(not name.strip() for name in self.classes):
            raise ConfigError(
                "classes: a class has no name; write them as in cat,dog, or leave it out"
            )
        if len(set(self.classes)) < len(self.classes):
            raise ConfigError("classes: a class is named twice; name each once")
        self.check_compute(self.batch_size)


@dataclass(frozen=True, kw_only=True)
class EvaluateDetectConfig(DeviceConfig):
    """Measure a trained detector on images with boxes.

    The result is the mAP by the rules of VOC 2007 (11 points), VOC 2010 (area) and COCO.
    """

    evaluate: str = setting(is_path=True)
    """A checkpoint of `nas detect train`, or a run directory, whose newest one is measured."""
    data: tuple[str, ...] = setting(is_path=True, group="data")
    """VOC folders, whose images are joined: Annotations, JPEGImages, ImageSets/Main."""
    test_split: str = setting("test", group="data")
    """The name of a file in ImageSets/Main."""
    classes: tuple[str, ...] = setting((), group="data")
    """Names of the classes, if they are to be compared with those of the checkpoint."""
    skip_corrupt: bool = setting(False, group="data")
    """Leave out images and boxes that cannot be used, and list them. By default one is an error."""
    out: str | None = setting(None, group="run", is_path=True)
    """Folder for detection.json, best.png and worst.png; null writes no file."""
    workers: int = setting(4, minimum=0, maximum=256, group="arithmetic")
    """Processes that decode images; 0 decodes in this process."""
    eval_batch_size: int = setting(32, minimum=1, group="arithmetic")
    """Images per batch; changes memory and speed, not results."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.data:
            raise ConfigError("`data` is missing; name a folder in the form of Pascal VOC")


@dataclass(frozen=True, kw_only=True)
class PredictConfig(DeviceConfig):
    """Detect objects in any images: a picture of each with its boxes, and detections.json."""

    checkpoint: str = setting(is_path=True)
    """A checkpoint of `nas detect train`, or a run directory, whose newest one is used."""
    images: tuple[str, ...] = setting(is_path=True, group="data")
    """Images, or folders of images."""
    out: str = setting("detections", group="run", is_path=True)
    """Folder for the pictures and detections.json."""
    min_score: float = setting(0.4, minimum=0, maximum=1, group="data")
    """Detections with a lower score are left out."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.images:
            raise ConfigError("images: expected at least one image or folder")
