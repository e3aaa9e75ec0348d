"""`nas detect`: its next word says what to do with a detector."""

import sys
from collections.abc import Sequence
from dataclasses import fields

from nas.cli.command import run_command
from nas.cli.settings import complete
from nas.config import DetectConfig, EvaluateDetectConfig, PredictConfig, read_arguments
from nas.errors import ConfigError, close_matches, shown
from nas.files import file_name
from nas.program import run_program

_TRAIN = (
    "Train an object detector on a folder in the form of Pascal VOC. The result is the mAP on the "
    "test images after the last iteration."
)
ACTIONS = {
    "train": "Train a detector, and measure it on test images.",
    "evaluate": "Measure a trained detector on images with boxes.",
    "predict": "Detect objects in any images, and draw them.",
}


def main(argv: Sequence[str] | None = None, prog: str = "nas detect") -> int:
    """Run the command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] == "train":
        names = [field.name for field in fields(DetectConfig)]
        return run_program(f"{prog} train", lambda: _train(words[1:], f"{prog} train"), names)
    if words and words[0] == "evaluate":
        return run_command(
            EvaluateDetectConfig,
            _evaluate,
            prog=f"{prog} evaluate",
            argv=words[1:],
            positional={"evaluate": "CHECKPOINT"},
        )
    if words and words[0] == "predict":
        return run_command(
            PredictConfig,
            _predict,
            prog=f"{prog} predict",
            argv=words[1:],
            positional={"checkpoint": "CHECKPOINT", "images": "IMAGE"},
        )
    return run_program(prog, lambda: _without_action(words, prog))


def _train(argv: Sequence[str], prog: str) -> int:
    config = complete(read_arguments(DetectConfig, prog, _TRAIN, argv), default_out)
    from nas.cli.run_detect import run_train  # torch is imported here

    return run_train(config)


def _evaluate(config: EvaluateDetectConfig) -> None:
    from nas.cli.run_detect import run_evaluate

    run_evaluate(config)


def _predict(config: PredictConfig) -> None:
    from nas.detect.predict import predict

    print(*predict(config), sep="\n")


def default_out(config: DetectConfig) -> str:
    """Name the run directory of a run without --out."""
    return f"runs/detect-{file_name(config.model)}-seed{config.seed}"


def _without_action(words: list[str], prog: str) -> None:
    if words and words[0] not in ("-h", "--help", "help"):
        near = close_matches(words[0], ACTIONS)
        if words[0].startswith("-"):
            raise ConfigError(f"unknown flag {shown(words[0])}; expected an action; {near}")
        raise ConfigError(f"expected {' or '.join(ACTIONS)}, found {shown(words[0])}; {near}")
    width = max(map(len, ACTIONS))
    lines = [f"  {name:{width}}  {summary}" for name, summary in ACTIONS.items()]
    print(
        f"usage: {prog} ACTION [ARGUMENTS]\n\nDetect objects in images with SSDLite320 on "
        "MobileNeXt or MobileNetV2. Images and boxes\nare those of a folder in the form of Pascal "
        "VOC.\n\nactions:\n" + "\n".join(lines) + f"\n\n`{prog} ACTION --help` shows the "
        "settings of an action."
    )
    raise SystemExit(0)
