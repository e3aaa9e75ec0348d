"""A whole training run, from its settings to evaluation.json: build everything and run it."""

import copy
import dataclasses
import json
import logging
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn import CrossEntropyLoss

from nas.config import AugmentConfig, plain_settings, resolved, run_settings
from nas.config.network_size import check_num_cells
from nas.data.fingerprint import FILE_NAME
from nas.data.transforms import FLIP_ADVICE
from nas.distributed.launch import Share
from nas.distributed.ranks import Ranks
from nas.distributed.session import check_ranks, format_ranks, join_ranks, prepare_network
from nas.errors import ConfigError, RunDirectoryError
from nas.genotype import Chain, Genotype, load_chain, load_genotype
from nas.genotype.chain import FILE_NAME as NETWORK_FILE
from nas.models import choose_genotype, load_weights
from nas.models.chain_choice import drawn_chain, named_chain
from nas.models.description import Found, build_from, describe_model, network_settings
from nas.operators import resolve_genotype
from nas.operators.contract import check_operators, network_sizes
from nas.records import Cost, Evaluation
from nas.runtime.complexity import measure_cost
from nas.runtime.compute import Compute, describe_compute, select_compute
from nas.runtime.environment import describe_environment
from nas.runtime.estimate import announce_duration
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.runtime.step_memory import StepMemory, estimate_memory
from nas.runtime.tensorboard import RunLog
from nas.space import DEFAULT_FAMILY
from nas.strict_yaml import is_file, is_gone
from nas.train.data import load_split, load_train_data
from nas.train.recipe import num_slots
from nas.train.trainer import Trainer

_log = logging.getLogger(__name__)
_MAX_IMAGE_SIZE = 1024
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


@dataclass(frozen=True)
class TrainResult:
    """What a training run ends with."""

    path: Path
    """The run directory."""
    evaluation: Evaluation
    """The result on the test images after the last epoch."""
    genotype: Genotype | None
    """The cells of the network; None for other networks."""
    chain: Chain | None
    """The network of a chain; None for other networks."""
    cost: Cost
    """Parameters and multiply-adds of the network."""


def train(
    config: AugmentConfig,
    *,
    found: Genotype | Chain | None = None,
    announce: Callable[[str], None] = _log.info,
    on_cost: Callable[[Cost], None] = lambda cost: None,
) -> TrainResult:
    """Train a network, measure it on the test images and write the run directory.

    Args:
        config: The settings; `out` must be set.
        found: The cells or the network, with their details, in place of reading what
            `config.genotype` or `config.network` names.
        announce: Called with lines that say what is about to run.
        on_cost: Called with the cost of the network before the run starts.

    Raises:
        NasError: The user can fix the cause; its message says how.
        Stopped: A signal asked the run to stop; a checkpoint was written.
    """
    if config.out is None:
        raise ConfigError("out: expected the path of a run directory, found None")
    if found is None:
        found = choose_genotype(config) or named_chain(config)
    elif isinstance(found, Genotype):
        resolve_genotype(found, config.plugins)
    family = found.family if isinstance(found, Genotype) else DEFAULT_FAMILY
    config = resolved(config, family)
    if isinstance(found, Genotype):
        _check_family(found, config)
    compute = select_compute(config)
    with join_ranks(compute.device) as ranks:
        check_ranks(config, ranks, compute.device)
        can_split = config.compile != "reduce-overhead"
        memory = StepMemory(compute, config.batch_size, ranks.size, can_split)
        with memory.explained():
            return _train(config, found, compute, ranks, memory, announce, on_cost)


def _train(
    config: AugmentConfig,
    found: Found,
    compute: Compute,
    ranks: Ranks,
    memory: StepMemory,
    announce: Callable[[str], None],
    on_cost: Callable[[Cost], None],
) -> TrainResult:
    path = Path(str(config.out))
    if not config.resume:
        ranks.on_first(lambda: RunDirectory.check_free(path))
    images = ranks.first_then_others(lambda: load_split(config, "train"))
    info = images.info
    data = load_train_data(config, images, compute, Share(ranks.rank, ranks.size))
    if found is None:
        found = _own_chain(config, path) if config.resume else None
    if found is None:
        found = drawn_chain(config, data.image_shape[1], info.num_classes, info.channels)
    if isinstance(found, Genotype):
        _check_operators(found, config, data.image_shape)
    settings = network_settings(found, config, info)
    torch.manual_seed(config.seed)
    net = build_from(found, settings)
    if config.weights is not None and not config.resume:
        load_weights(net, config.weights, config.ema_weights, new_classifier=True)
    _check_image_size(net, data.image_shape)
    cost = measure_cost(net, data.image_shape)
    inputs = (torch.empty((2, *data.image_shape), device="meta"),)
    memory.estimate = lambda: estimate_memory(net, inputs, compute, num_slots(config))
    net = compute.place(prepare_network(net, config, ranks))
    open_run = partial(_open_run, config, found, cost, compute.device)
    with ranks.on_first(open_run) or SilentRunDirectory(path) as run:
        if data.fingerprint is not None:
            run.write_missing(FILE_NAME, data.fingerprint.to_json)
        log = ranks.on_first(lambda: RunLog(run, _SCALARS))
        trainer = Trainer(
            net,
            config=config,
            loss=CrossEntropyLoss(label_smoothing=config.label_smoothing),
            data=data,
            run=run,
            description={
                "model": describe_model(found, settings),
                "classes": list(info.class_names),
                "value_range": info.value_range,
                "config": plain_settings(config),
            },
            callbacks=[log.on_epoch] if log else [],
            compute=compute,
            ranks=ranks,
        )
        if config.resume:
            trainer.resume()
            if trainer.epoch < trainer.epochs:
                run.remove("evaluation.json")
        on_cost(cost)
        announce(
            f"{info.name}: {data.num_train} training, {data.num_test} test, {data.num_val} "
            f"held-out images of {data.image_shape}; {describe_compute(compute)}"
            f"{format_ranks(config, ranks)}; run {path}"
        )
        announce(
            f"augmentation: {data.augmentation}{FLIP_ADVICE if config.horizontal_flip else ''}"
        )
        announce_duration(trainer, memory, announce)
        if log:
            log.start(trainer.epoch)
        try:
            evaluation = trainer.train()
        finally:
            if log:
                log.close()
        evaluation = dataclasses.replace(
            evaluation, epoch=trainer.epochs - 1, classes=info.class_names
        )
        run.write("evaluation.json", evaluation.to_json())
    genotype = found if isinstance(found, Genotype) else None
    chain = found if isinstance(found, Chain) else None
    return TrainResult(path, evaluation, genotype, chain, cost)


def _own_chain(config: AugmentConfig, path: Path) -> Chain | None:
    """Return the random network of a run that is resumed, if what it was drawn from has gone.

    Otherwise it is drawn again, which shows whether that was changed.
    """
    files = filter(None, (config.space, config.latency_table))
    return load_chain(path) if any(map(is_gone, files)) and is_file(path / NETWORK_FILE) else None


def _check_family(genotype: Genotype, config: AugmentConfig) -> None:
    """Refuse what networks of the genotype's family do not have."""
    assert config.num_cells is not None  # filled in by `resolved`
    check_num_cells(config.num_cells, genotype.family)
    if config.drop_path_prob and not genotype.kind.has_drop_path:
        raise ConfigError(
            f"drop_path_prob: found {config.drop_path_prob:g}, but networks of the family "
            f"{genotype.family} have no drop path; leave it out or set it to 0"
        )


def _check_operators(
    genotype: Genotype, config: AugmentConfig, image_shape: tuple[int, int, int]
) -> None:
    assert config.init_channels and config.num_cells and config.stem  # filled in by `resolved`
    sizes = network_sizes(
        image_shape, config.init_channels, config.num_cells, config.stem, genotype.family
    )
    check_operators(genotype.primitives, sizes, affine=True)


def _check_image_size(net: nn.Module, image_shape: tuple[int, int, int]) -> None:
    """Run two images through the network in training mode, on the meta device."""
    shadow = copy.deepcopy(net).to("meta").train()

    def problem_at(size: int) -> str | None:
        try:
            shadow(torch.empty((2, image_shape[0], size, size), device="meta"))
        except (RuntimeError, ValueError) as cause:
            return " ".join(str(cause).split())[:120]
        return None

    if (problem := problem_at(image_shape[-1])) is not None:
        sizes = range(image_shape[-1], _MAX_IMAGE_SIZE + 1)
        index = bisect_left(sizes, True, key=lambda size: problem_at(size) is None)
        fits = f"use at least {sizes[index]}" if index < len(sizes) else "use larger ones"
        raise ConfigError(
            f"image_size: the network cannot take images of {image_shape} ({problem}); {fits}, or "
            "leave out the auxiliary head with `auxiliary_weight` 0"
        )


def _open_run(
    config: AugmentConfig, found: Found, cost: Cost, device: torch.device
) -> RunDirectory:
    path = Path(str(config.out))
    if config.resume:
        _check_same(found, config, path)
        run = RunDirectory.open(path)
        run.write_config(run_settings(config))
    else:
        run = RunDirectory.create(path, run_settings(config))
    if isinstance(found, Genotype):
        run.write_missing("genotype.json", found.to_json)
    elif found is not None:
        run.write_missing(NETWORK_FILE, found.to_json)
    run.write_missing("env.json", lambda: json.dumps(describe_environment(device), indent=1) + "\n")
    run.write_missing("cost.json", cost.to_json)
    return run


def _check_same(found: Found, config: AugmentConfig, path: Path) -> None:
    """Refuse to resume a run whose cells or network are no longer those of the settings."""
    name, own, load, given = (
        ("network", path / NETWORK_FILE, load_chain, config.network)
        if isinstance(found, Chain)
        else ("genotype", path / "genotype.json", load_genotype, config.genotype)
    )
    if found is not None and is_file(own) and load(path) != found:
        raise RunDirectoryError(
            f"resume: the {name} {given!r} is no longer the one of this run ({own}); restore it or "
            "start another run"
        )
