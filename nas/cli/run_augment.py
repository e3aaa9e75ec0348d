"""Training, from the settings to the test accuracy: build everything and run it."""

import copy
import dataclasses
import json
import logging
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn import CrossEntropyLoss

from nas.cli.tables import cost_table, evaluation_table
from nas.config import AugmentConfig, plain_settings, resolved, run_settings
from nas.data import DatasetInfo
from nas.distributed.launch import Share
from nas.distributed.ranks import Ranks
from nas.distributed.session import check_ranks, format_ranks, join_ranks, prepare_network
from nas.errors import ConfigError, ReportError, RunDirectoryError
from nas.genotype import Genotype, load_genotype
from nas.models import choose_genotype, load_weights
from nas.models.description import build_from, describe_model, network_settings
from nas.operators.contract import check_operators, network_sizes
from nas.records import Cost, Evaluation
from nas.report.cells.diagram import draw_cells
from nas.report.html import write_report
from nas.runtime.complexity import measure_cost
from nas.runtime.compute import Compute, describe_compute, select_compute
from nas.runtime.environment import describe_environment
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.runtime.step_memory import LONG_RUN_STEPS, StepMemory, estimate_memory
from nas.runtime.tensorboard import RunLog, SilentLog
from nas.signals import Stopped
from nas.strict_yaml import is_file
from nas.train import Trainer, num_slots
from nas.train.data import load_split, load_train_data
from nas.train.estimate import estimate

_LOGGER = logging.getLogger(__name__)
_SCALARS = (
    "learning_rate",
    "drop_path_prob",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "val_top5_accuracy",
    "test_loss",
    "test_accuracy",
    "test_top5_accuracy",
)


def run_augment(config: AugmentConfig) -> int:
    """Train and measure; returns the exit code."""
    config = resolved(config)
    genotype = choose_genotype(config)
    compute = select_compute(config)
    with join_ranks(compute.device) as ranks:
        check_ranks(config, ranks, compute.device)
        can_split = config.compile != "reduce-overhead"
        memory = StepMemory(compute, config.batch_size, ranks.size, can_split)
        with memory.explained():
            return _run(config, genotype, compute, ranks, memory)


def _run(
    config: AugmentConfig,
    genotype: Genotype | None,
    compute: Compute,
    ranks: Ranks,
    memory: StepMemory,
) -> int:
    path, device = Path(config.out), compute.device
    if not config.resume:
        ranks.on_first(lambda: RunDirectory.check_free(path))
    images = ranks.first_then_others(lambda: load_split(config, "train"))
    info = images.info
    image_shape = (info.channels, info.image_size, info.image_size)
    if genotype is not None:
        sizes = network_sizes(image_shape, config.init_channels, config.num_cells, config.stem)
        check_operators(genotype.primitives, sizes, affine=True)
    settings = network_settings(genotype, config, info)
    torch.manual_seed(config.seed)
    net = build_from(genotype, settings)
    if config.weights is not None and not config.resume:
        load_weights(net, config.weights, ema=config.ema_weights)
    _check_image_size(net, image_shape)
    cost = measure_cost(net, image_shape)
    inputs = (torch.empty((2, *image_shape), device="meta"),)
    data = load_train_data(config, images, compute, Share(ranks.rank, ranks.size))
    memory.estimate = lambda: estimate_memory(net, inputs, compute, num_slots(config))
    description = {
        "model": describe_model(genotype, settings),
        "classes": list(info.class_names),
        "config": plain_settings(config),
    }
    net = compute.place(prepare_network(net, config, ranks))
    loss = CrossEntropyLoss(label_smoothing=config.label_smoothing)
    open_run = partial(_open_run, config, genotype, cost, device)
    with ranks.on_first(open_run) or SilentRunDirectory(path) as run:
        log = ranks.on_first(lambda: RunLog(run, _SCALARS)) or SilentLog()
        trainer = Trainer(
            net,
            config=config,
            loss=loss,
            data=data,
            run=run,
            description=description,
            callbacks=[log.on_epoch],
            compute=compute,
            ranks=ranks,
        )
        if config.resume:
            trainer.resume()
            if trainer.epoch < trainer.epochs:
                run.remove("evaluation.json")
        print(
            f"{cost_table(cost)}\n\n{info.name}: {data.num_train} training, "
            f"{data.num_test} test, {data.num_val} held-out images of {image_shape}; "
            f"{describe_compute(compute)}{format_ranks(config, ranks)}; run {run.path}"
        )
        try:
            _announce(trainer, memory)
            log.start(trainer.epoch)
            evaluation = trainer.train()
        except Stopped as stopped:
            ranks.say(str(stopped))
            return stopped.exit_code
        finally:
            log.close()
        ranks.on_first(lambda: _finish(run, genotype, evaluation, trainer.epochs - 1, info))
    return 0


def _check_image_size(net: nn.Module, image_shape: tuple[int, int, int]) -> None:
    """Run two images through the network in training mode, on the meta device."""
    shadow = copy.deepcopy(net).to("meta").train()
    try:
        shadow(torch.empty((2, *image_shape), device="meta"))
    except (RuntimeError, ValueError) as cause:
        raise ConfigError(
            f"image_size: the network cannot take images of {image_shape} "
            f"({' '.join(str(cause).split())[:120]}); use larger ones, or leave out the auxiliary "
            "head with `auxiliary_weight` 0"
        ) from cause


def _announce(trainer: Trainer, memory: StepMemory) -> None:
    """Say how long a long run will take, before it begins."""
    steps_left = (trainer.epochs - trainer.epoch) * len(trainer.train_loader)
    if steps_left < LONG_RUN_STEPS:
        return
    print(memory.describe())
    cost = estimate(trainer)
    hours = cost.epoch_time_s * (trainer.epochs - trainer.epoch) / 3600
    print(
        f"estimate: {cost.step_time_s:.3f} s per step, {cost.epoch_time_s:.0f} s per epoch, "
        f"{hours:.2f} h of training steps to the end; peak memory {cost.peak_memory_mib:.0f} MiB"
    )


def _finish(
    run: RunDirectory,
    genotype: Genotype | None,
    evaluation: Evaluation,
    epoch: int,
    info: DatasetInfo,
) -> None:
    evaluation = dataclasses.replace(evaluation, epoch=epoch, classes=info.class_names)
    path = run.write("evaluation.json", evaluation.to_json())
    table = evaluation_table(evaluation, info.class_names)
    print(f"\ntest, after the last epoch: {table}\n\n{path}")
    try:
        for picture in draw_cells(genotype, run.path) if genotype else ():
            print(picture)
        print(write_report(run.path))  # and curves.png
    except ReportError as error:  # a picture is not worth a training
        _LOGGER.warning("no picture: %s", error)


def _open_run(
    config: AugmentConfig, genotype: Genotype | None, cost: Cost, device: torch.device
) -> RunDirectory:
    path = Path(config.out)
    if config.resume:
        own = path / "genotype.json"
        if genotype is not None and is_file(own) and load_genotype(path) != genotype:
            raise RunDirectoryError(
                f"resume: the genotype {config.genotype!r} is no longer the one of this run "
                f"({own}); restore it or start another run"
            )
        run = RunDirectory.open(path)
        run.write_config(run_settings(config))
    else:
        run = RunDirectory.create(path, run_settings(config))
    if genotype is not None:
        run.write_missing("genotype.json", genotype.to_json)
    run.write_missing("env.json", lambda: json.dumps(describe_environment(device), indent=1) + "\n")
    run.write_missing("cost.json", cost.to_json)
    return run
