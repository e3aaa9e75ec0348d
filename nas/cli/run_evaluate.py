"""Measure a checkpoint on the test images and train nothing (`--evaluate`)."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.cli.tables import evaluation_table
from nas.config import Arguments, AugmentConfig, Layer, resolved
from nas.data import DatasetInfo
from nas.data.from_config import say_changed_test_images
from nas.distributed.launch import Share
from nas.distributed.session import join_ranks
from nas.errors import CheckpointError, ConfigError
from nas.genotype import Chain
from nas.layers import folded
from nas.models import choose_genotype, load_weights
from nas.models.chain_choice import CHAIN_SETTINGS, drawn_chain, named_chain
from nas.models.description import Found, build_from, found_in, network_settings
from nas.models.from_checkpoint import (
    build_described,
    part_of,
    read_described,
    saved_value_range,
)
from nas.records import Evaluation
from nas.runtime.compute import select_compute
from nas.runtime.evaluation import evaluate
from nas.runtime.run_directory import RunDirectory
from nas.space import DEFAULT_FAMILY
from nas.train.data import Images, eval_loader, load_split

_MAY_DIFFER = {
    "evaluate",
    "genotype",  # the network is compared instead
    "model",
    *CHAIN_SETTINGS,
    "plugins",
    "out",
    "dataset",
    "data",
    "image_size",
    "skip_corrupt",
    "device",
    "eval_batch_size",
    "precision",
    "compile",
}
_NOT_FROM_THE_CHECKPOINT: dict[str, Any] = {
    "evaluate": None,
    "out": None,
    "resume": False,
    "plugins": [],  # a file from elsewhere must not choose what is executed
}


def run_evaluate(given: Arguments[AugmentConfig]) -> int:
    """Measure and print; `out` names a new directory for evaluation.json. Returns the exit code.

    Settings that are not given (dataset, image size, ...) are those that the checkpoint was trained
    with. A checkpoint of other programs, such as the authors', needs `model` or `genotype`.

    Raises:
        CheckpointError: It cannot be read, or is of another architecture.
        ConfigError: A setting contradicts the checkpoint, or has no effect on measuring.
    """
    path = Path(given.get("evaluate"))
    try:
        state, where = read_described(path)
    except CheckpointError:
        config = given.make()
        if not (config.model or config.genotype or config.network) or not path.is_file():
            raise
        images, net, config = _published(config, path)
        where, epoch = str(path), None
    else:
        images, net, config = _ours(state, given, where)
        # A checkpoint of a run counts the finished epochs, best.pt names its own.
        epoch = state.get("epoch") if "measured_net" in state else state.get("epoch", 0) - 1
    compute = select_compute(config)
    net = compute.place(net)
    with join_ranks(compute.device) as ranks:
        if config.out is not None:
            out = Path(config.out)
            ranks.on_first(lambda: RunDirectory.check_free(out, can_resume=False))
        share = Share(ranks.rank, ranks.size)
        evaluation = evaluate(
            folded(net) if compute.folds_norms else net,
            eval_loader(images, torch.arange(len(images)), config, compute, share),
            images.info.num_classes,
            compute=compute,
            ranks=ranks,
        )
        ranks.on_first(lambda: _finish(evaluation, images.info, config, where, epoch))
    return 0


def _finish(
    evaluation: Evaluation, info: DatasetInfo, config: AugmentConfig, where: str, epoch: int | None
) -> None:
    """Write the result if `out` names a directory, and print it."""
    if not math.isfinite(evaluation.loss):
        raise CheckpointError(
            f"{where}: the test loss is {evaluation.loss}: the weights are damaged or their "
            "training diverged; give another checkpoint"
        )
    written = None
    if config.out is not None:
        record = dataclasses.replace(
            evaluation, epoch=epoch, classes=info.class_names, checkpoint=where
        )
        folder = RunDirectory.plain(Path(config.out))
        written = folder.write("evaluation.json", record.to_json())
    print(f"{where}, {config.dataset}, test: {evaluation_table(evaluation, info.class_names)}")
    if written:
        print(written)


def _ours(
    state: dict[str, Any], given: Arguments[AugmentConfig], where: str
) -> tuple[Images, nn.Module, AugmentConfig]:
    """Return test images, network and settings of a checkpoint of augment.py."""
    saved, config = _settings(part_of(state, "config", where), given, where)
    config = resolved(config)
    model = part_of(state, "model", where)
    images = load_split(config, "test", saved_value_range(state, where))
    say_changed_test_images(Path(where), images)
    _check_network(model, images.info, config, saved, where)
    _check_classes(images.info, model, part_of(state, "classes", where, list), config, where)
    net = build_described(state, where, config.plugins)
    return images, net, config


def _published(config: AugmentConfig, path: Path) -> tuple[Images, nn.Module, AugmentConfig]:
    """Return test images, the network of the settings with the file's weights, and settings."""
    genotype = choose_genotype(config)
    config = resolved(config, DEFAULT_FAMILY if genotype is None else genotype.family)
    images = load_split(config, "test")
    found = genotype or _chain(config, images.info)
    net = build_from(found, network_settings(found, config, images.info))
    load_weights(net, path, ema=config.ema_weights)
    return images, net, config


def _settings(
    saved: dict[str, Any], given: Arguments[AugmentConfig], where: str
) -> tuple[AugmentConfig, AugmentConfig]:
    """Return the settings of the checkpoint, and with those that are given over them."""
    base = Layer(where, saved | _NOT_FROM_THE_CHECKPOINT)
    try:
        before = Arguments(AugmentConfig, ()).make(base)
    except ConfigError as cause:
        raise CheckpointError(f"{where}: its settings cannot be used: {cause}") from cause
    config = given.make(base)
    for field in dataclasses.fields(AugmentConfig):
        old, new = getattr(before, field.name), getattr(config, field.name)
        if old != new and field.name not in _MAY_DIFFER:
            raise ConfigError(
                f"{field.name}: found {new!r}, but {where} was trained with {old!r} and `evaluate` "
                "trains nothing; leave it out"
            )
    return before, config


def _chain(config: AugmentConfig, info: DatasetInfo) -> Chain | None:
    """Return the network of a chain that the settings name, if they do."""
    drawn = drawn_chain(config, info.image_size, info.num_classes, info.channels)
    return drawn or named_chain(config)


def _check_network(
    model: dict[str, Any],
    info: DatasetInfo,
    config: AugmentConfig,
    saved: AugmentConfig,
    where: str,
) -> None:
    """Raise where the command line names another network than that of the checkpoint."""
    if config.model != saved.model:
        raise CheckpointError(
            f"{where}: is of another architecture: {model.get('model', 'a ' + _kind(model))}, not "
            f"{config.model}; leave `model` out"
        )
    names = ("genotype", *CHAIN_SETTINGS)
    if all(getattr(config, name) == getattr(saved, name) for name in names):
        return
    named: Found = choose_genotype(config) or _chain(config, info)
    if named != found_in(dict(model), where):
        key = "network" if config.network is not None else "genotype"
        raise CheckpointError(
            f"{where}: is of another architecture: its {_kind(model)} is not "
            f"{getattr(config, key)}; leave `{key}` out"
        )


def _kind(model: dict[str, Any]) -> str:
    return "network" if "network" in model else "genotype"


def _check_classes(
    info: DatasetInfo, model: dict[str, Any], classes: list, config: AugmentConfig, where: str
) -> None:
    if info.num_classes != model.get("num_classes"):
        raise ConfigError(
            f"evaluate: {where} has {model.get('num_classes')} classes, the `dataset` "
            f"{config.dataset} has {info.num_classes}; name the dataset it was trained on"
        )
    if list(info.class_names) != classes:
        raise ConfigError(
            f"evaluate: {where} was trained on other classes than those of the `dataset` "
            f"{config.dataset}; name the dataset it was trained on"
        )
