"""`augment.py --evaluate`: measure a checkpoint on the test images and train nothing."""

import dataclasses
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from nas.cli.tables import evaluation_table
from nas.config import AugmentConfig, parse_settings, resolved
from nas.data import DatasetInfo
from nas.distributed.launch import Share
from nas.distributed.session import join_ranks
from nas.errors import CheckpointError, ConfigError
from nas.genotype import Genotype
from nas.models import build_model, choose_genotype, describe_model, load_weights
from nas.models.from_checkpoint import build_described, part_of, read_described
from nas.records import Evaluation
from nas.runtime.compute import select_compute
from nas.runtime.evaluation import evaluate
from nas.runtime.run_directory import RunDirectory
from nas.train.data import Images, eval_loader, load_split

_MAY_DIFFER = {
    *("evaluate", "genotype", "space", "model", "plugins", "out"),  # the network is compared
    *("dataset", "data", "image_size", "skip_corrupt", "device", "eval_batch_size"),
    *("precision", "memory_format", "compile"),
}
_NOT_FROM_THE_CHECKPOINT = {
    **{"evaluate": None, "out": None, "resume": False},
    "plugins": [],  # a file from elsewhere may not choose what is executed
}


def run_evaluate(argv: Sequence[str], prog: str, checkpoint: str) -> int:
    """Measure and print; --out names a new directory for evaluation.json. Returns the exit code.

    What the command line leaves out (data set, image size, ...) is what the checkpoint was
    trained with. A checkpoint of other programs, such as the authors', needs --model.

    Raises:
        CheckpointError: It cannot be read, or is of another architecture.
        ConfigError: A setting contradicts the checkpoint, or has no effect on measuring.
    """
    path = Path(checkpoint)
    try:
        state, where = read_described(path)
    except CheckpointError:
        config = resolved(parse_settings(AugmentConfig, prog, "", argv))
        if config.model is None or not path.is_file():
            raise
        images, net, where, epoch = *_published(config, path), str(path), None
    else:
        images, net, config = _ours(state, argv, prog, where)
        # A checkpoint of a run counts the finished epochs, best.pt names its own.
        epoch = state.get("epoch") if "measured_net" in state else state.get("epoch", 0) - 1
    compute = select_compute(config)
    with join_ranks(compute.device) as ranks:
        if config.out is not None:
            ranks.on_first(lambda: RunDirectory.check_free(Path(config.out)))
        share = Share(ranks.rank, ranks.size)
        found = evaluate(
            compute.place(net),
            eval_loader(images, torch.arange(len(images)), config, compute, share),
            images.info.num_classes,
            compute=compute,
            ranks=ranks,
        )
        ranks.on_first(lambda: _finish(found, images.info, config, where, epoch))
    return 0


def _finish(
    found: Evaluation, info: DatasetInfo, config: AugmentConfig, where: str, epoch: int | None
) -> None:
    """Print the result; --out names a directory to write it to."""
    if not math.isfinite(found.loss):
        raise CheckpointError(
            f"{where}: the test loss is {found.loss}: the weights are damaged or their training "
            "diverged; give another checkpoint"
        )
    print(f"{where}, {config.dataset}, test: {evaluation_table(found, info.class_names)}")
    if config.out is not None:
        record = dataclasses.replace(found, epoch=epoch, classes=info.class_names, checkpoint=where)
        folder = RunDirectory.plain(Path(config.out))
        print(folder.write("evaluation.json", record.to_json()))


def _ours(
    state: dict[str, Any], argv: Sequence[str], prog: str, where: str
) -> tuple[Images, nn.Module, AugmentConfig]:
    """Return test images, network and settings of a checkpoint of augment.py."""
    saved, config = _settings(part_of(state, "config", where), argv, prog, where)
    config = resolved(config)
    model = part_of(state, "model", where)
    images = load_split(config, "test")
    _check_network(model, config, saved, where)
    _check_classes(images.info, model, part_of(state, "classes", where, list), config, where)
    net = build_described(state, where, config.plugins)
    return images, net, config


def _published(config: AugmentConfig, path: Path) -> tuple[Images, nn.Module]:
    """Return test images and the network that --model names, with the weights of the file."""
    images = load_split(config, "test")
    net = build_model(describe_model(None, config, images.info))
    load_weights(net, path, ema=config.ema_weights)
    return images, net


def _settings(
    saved: dict[str, Any], argv: Sequence[str], prog: str, where: str
) -> tuple[AugmentConfig, AugmentConfig]:
    """Return the settings of the checkpoint, and with those of the command line over them."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "checkpoint.yaml"
        try:
            base.write_text(yaml.safe_dump(saved | _NOT_FROM_THE_CHECKPOINT), encoding="utf-8")
            before = parse_settings(AugmentConfig, prog, "", [], base=base)
        except (ConfigError, yaml.YAMLError) as cause:
            raise CheckpointError(f"{where}: its settings cannot be used: {cause}") from cause
        config = parse_settings(AugmentConfig, prog, "", argv, base=base)
    for field in dataclasses.fields(AugmentConfig):
        old, new = getattr(before, field.name), getattr(config, field.name)
        if old != new and field.name not in _MAY_DIFFER:
            raise ConfigError(
                f"--{field.name}: found {new!r}, but {where} was trained with {old!r} and "
                "--evaluate trains nothing; leave it out"
            )
    return before, config


def _check_network(
    model: dict[str, Any], config: AugmentConfig, saved: AugmentConfig, where: str
) -> None:
    """Raise where the command line names another network than that of the checkpoint."""
    if config.model != saved.model:
        raise CheckpointError(
            f"{where}: is of another architecture: {model.get('model', 'a genotype')}, not "
            f"{config.model}; leave --model out"
        )
    if (config.genotype, config.space) == (saved.genotype, saved.space):
        return
    named = choose_genotype(config)
    if named != Genotype.from_json(str(model.get("genotype")), where):
        raise CheckpointError(
            f"{where}: is of another architecture: its genotype is not that of --genotype "
            f"{config.genotype}; leave --genotype out"
        )


def _check_classes(
    info: DatasetInfo, model: dict[str, Any], classes: list, config: AugmentConfig, where: str
) -> None:
    if info.num_classes != model.get("num_classes"):
        raise ConfigError(
            f"--evaluate: {where} tells {model.get('num_classes')} classes apart, --dataset "
            f"{config.dataset} has {info.num_classes}; name the data set it was trained on"
        )
    if list(info.class_names) != classes:
        raise ConfigError(
            f"--evaluate: {where} was trained on other classes than those of --dataset "
            f"{config.dataset}; name the data set it was trained on"
        )
