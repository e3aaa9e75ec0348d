"""A whole training run of a detector, from its settings to detection.json."""

import dataclasses
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from nas.config import DetectConfig, plain_settings, run_settings
from nas.data.fingerprint import FILE_NAME
from nas.data.transforms import FLIP_ADVICE
from nas.data.voc import VocSet
from nas.detect.data import load_data
from nas.detect.trainer import DetectTrainer
from nas.detection_record import NUMBERS, DetectionEvaluation
from nas.distributed.launch import Share
from nas.distributed.ranks import Ranks
from nas.distributed.session import check_ranks, format_ranks, join_ranks, prepare_network
from nas.errors import ConfigError
from nas.models.detection import IMAGE_SIZE, Detections, SSDLite, backbone_name, build_detector
from nas.records import Cost
from nas.runtime.complexity import measure_cost
from nas.runtime.compute import Compute, describe_compute, select_compute
from nas.runtime.environment import describe_environment
from nas.runtime.estimate import announce_duration
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.runtime.step_memory import StepMemory, estimate_memory
from nas.runtime.tensorboard import RunLog

_log = logging.getLogger(__name__)
RESULT = "detection.json"
_SMALLER = "a narrower network (`model`, such as ssdlite320_mobilenext_0.5)"


@dataclass(frozen=True)
class DetectResult:
    """What a training run ends with."""

    path: Path
    """The run directory."""
    evaluation: DetectionEvaluation
    """The result on the test images after the last iteration."""
    images: VocSet
    """The test images."""
    detections: list[Detections]
    """Of each test image."""


def train_detector(
    config: DetectConfig,
    *,
    announce: Callable[[str], None] = _log.info,
    on_cost: Callable[[Cost], None] = lambda cost: None,
) -> DetectResult:
    """Train a detector, measure it on the test images and write the run directory.

    Args:
        config: The settings; `out` must be set.
        announce: Called with lines that say what is about to run.
        on_cost: Called with the cost of the detector, without its postprocessing, before the run.

    Raises:
        NasError: The user can fix the cause; its message says how.
        Stopped: A signal asked the run to stop; a checkpoint was written.
    """
    if config.out is None:
        raise ConfigError("out: expected the path of a run directory, found None")
    backbone_name(config.model)
    compute = select_compute(config)
    with join_ranks(compute.device) as ranks:
        check_ranks(config, ranks, compute.device)
        memory = StepMemory(
            compute,
            config.batch_size,
            ranks.size,
            can_split=True,
            smaller=_SMALLER,
            before=f"{_SMALLER}, or fewer `workers`",
        )
        with memory.explained():
            return _train(config, compute, ranks, memory, announce, on_cost)


def _train(
    config: DetectConfig,
    compute: Compute,
    ranks: Ranks,
    memory: StepMemory,
    announce: Callable[[str], None],
    on_cost: Callable[[Cost], None],
) -> DetectResult:
    path = Path(str(config.out))
    if not config.resume:
        ranks.on_first(lambda: RunDirectory.check_free(path))
    data = load_data(config, compute, Share(ranks.rank, ranks.size))
    torch.manual_seed(config.seed)
    num_classes = len(data.train.classes)
    weights = None if config.resume else config.backbone_weights
    net = build_detector(config.model, num_classes, backbone_weights=weights)
    shape = (3, IMAGE_SIZE, IMAGE_SIZE)
    cost = measure_cost(net.without_postprocessing(), shape)
    inputs = (torch.empty((2, *shape), device="meta"),)
    placed = compute.place(prepare_network(net, config, ranks))
    assert isinstance(placed, SSDLite)
    memory.estimate = lambda: estimate_memory(placed, inputs, compute)
    with ranks.on_first(partial(_open_run, config, cost, compute)) or SilentRunDirectory(
        path
    ) as run:
        run.write_missing(FILE_NAME, data.fingerprint.to_json)
        log = ranks.on_first(lambda: RunLog(run, NUMBERS))
        trainer = DetectTrainer(
            placed,
            config=config,
            data=data,
            run=run,
            description={
                "detector": config.model,
                "classes": list(data.train.classes),
                "config": plain_settings(config),
            },
            callbacks=[log.on_epoch] if log else [],
            compute=compute,
            ranks=ranks,
        )
        if config.resume:
            trainer.resume()
            if not trainer.is_finished():
                run.remove(RESULT)
        on_cost(cost)
        announce(
            f"{len(data.train)} training images with {data.train.num_objects} objects, "
            f"{len(data.test)} test images with {data.test.num_objects}, classes "
            f"{', '.join(data.train.classes)}; {describe_compute(compute)}"
            f"{format_ranks(config, ranks)}; run {path}"
        )
        if config.horizontal_flip:
            announce(f"augmentation: mirrored left to right{FLIP_ADVICE}")
        announce_duration(trainer, memory, announce, "interval")
        if log:
            log.start(trainer.iteration)
        try:
            evaluation, detections = trainer.train()
        finally:
            if log:
                log.close()
        evaluation = dataclasses.replace(evaluation, iteration=config.iterations)
        run.write(RESULT, evaluation.to_json())
    return DetectResult(path, evaluation, data.test, detections)


def _open_run(config: DetectConfig, cost: Cost, compute: Compute) -> RunDirectory:
    path = Path(str(config.out))
    if config.resume:
        run = RunDirectory.open(path)
        run.write_config(run_settings(config))
    else:
        run = RunDirectory.create(path, run_settings(config))
    environment = json.dumps(describe_environment(compute.device), indent=1) + "\n"
    run.write_missing("env.json", lambda: environment)
    run.write_missing("cost.json", cost.to_json)
    return run
