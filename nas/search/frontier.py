"""Several networks from one supernet, one for each target, and what they are worth in it.

The searches of all targets begin in the same way, so that part is done once, in the run directory:

    all epochs            where the alphas rest: afterwards each target has its selection
    `warmup_epochs`       where they move: in these epochs no target acts yet

Then each target goes on from that checkpoint in a folder in it, as a search that was stopped and
is resumed with `target`. Its result is that of a search of this target alone. At the end all
networks are measured in the common supernet, with the weights of its last epoch, so that one set of
weights ranks them all, and with them MobileNeXt and MobileNetV2 where the space has them.
"""

import dataclasses
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nas.config import Arguments, SearchConfig, run_settings
from nas.config.target import Target, read_frontier
from nas.data.fingerprint import FILE_NAME as DATA_FILE
from nas.distributed.launch import read_launch
from nas.distributed.ranks import ALONE
from nas.distributed.session import check_ranks
from nas.errors import ConfigError, RunDirectoryError
from nas.genotype import Chain, load_chain
from nas.genotype.frontier import FILE_NAME, Frontier, Point
from nas.genotype.references import as_point_of, references
from nas.models.chain_latency import target_costs
from nas.runtime.checkpoint import list_checkpoints
from nas.runtime.compute import select_compute
from nas.runtime.run_directory import RunDirectory
from nas.runtime.step_memory import StepMemory
from nas.search.assembly import MakeLog, Recipe, assembled, each_target
from nas.search.evolution import ChoiceByTest, RandomChoice
from nas.search.kind import kind_of
from nas.search.one_shot import OneShot
from nas.search.run import search
from nas.search.searcher import Searcher
from nas.signals import StopFlag, Stopped
from nas.space import ChainSpace, Space, load_space_at
from nas.space.chain_cost import QUANTITIES, count_chain
from nas.space.families import get_chain_family
from nas.strict_yaml import is_file
from nas.supernet.chain import path_of

_logger = logging.getLogger(__name__)
_COMMON_FILES = ("space.yaml", "env.json", DATA_FILE, "metrics.jsonl", "timing.jsonl")
"""What a search has in common with its warm-up, in addition to the last checkpoint."""


@dataclass(frozen=True)
class FrontierResult:
    """What a search of several targets ends with."""

    frontier: Frontier
    """The networks and their accuracies in the supernet."""
    networks: tuple[Chain, ...]
    """The networks, in the order of the targets."""
    path: Path
    """The run directory; it has frontier.json and a folder for each network."""


def search_frontier(
    config: SearchConfig,
    *,
    make_log: MakeLog | None = None,
    announce: Callable[[str], None] = _logger.info,
) -> FrontierResult:
    """Search a network for each of the `targets`, and write frontier.json.

    The arguments are those of `nas.search.run.search`.

    Raises:
        NasError: Something that the user can fix.
        Stopped: A signal asked for it; a checkpoint was written.
    """
    if config.out is None:
        raise ConfigError("out: expected the path of a run directory, found None")
    space = load_space_at(config.space, config.width_mult)
    get_chain_family(space.family, "targets: space")
    kind_of(space).prepare(config)
    check(config)
    recipe = Recipe.of(config, space)
    targets = read_frontier(config.targets or "")
    parts = [
        dataclasses.replace(one, out=str(Path(config.out) / folder_of(target)), resume=True)
        for one, target in zip(each_target(config), targets, strict=True)
    ]
    for part in parts:
        Recipe.of(part, space)
    if not config.resume:
        recipe.say_unused(config)
    until = config.epochs if not recipe.method.moves_alphas else targets[0].warmup_epochs
    try:
        _train_common(config, space, recipe, until, make_log, announce)
        networks = [_search_part(config, part, make_log, announce) for part in parts]
    except Stopped as stopped:
        raise Stopped(
            stopped.exit_code - 128,
            f"stopped before all {len(targets)} targets were searched; continue with `resume` "
            f"`out` {config.out}",
        ) from stopped
    return _measure(config, space, recipe, until, dict(zip(targets, networks, strict=True)))


def check(config: SearchConfig) -> None:
    """Refuse what a frontier does not do.

    Raises:
        ConfigError: Several processes, or stopping rules.
        RunDirectoryError: The epochs or the selection of a run were changed after the targets
            began.
    """
    if read_launch().size > 1:
        raise ConfigError(
            "targets: found several processes, but the targets are searched one after the other "
            "in one; search each with `target`, or start without torchrun"
        )
    if config.stop is not None:
        raise ConfigError(
            "stop: does not work with `targets`, whose searches share their first epochs; leave it "
            "out, or search each target with `target`"
        )
    for target in read_frontier(config.targets or ""):
        folder = Path(str(config.out)) / folder_of(target)
        if is_file(folder / "config.yaml"):
            before = Arguments(SearchConfig, ()).make(folder / "config.yaml")
            for name in ("epochs", "selection"):
                was, now = getattr(before, name), getattr(config, name)
                if was != now:
                    raise RunDirectoryError(
                        f"{name}: found {now}, but {folder} was begun with {was}; leave `{name}` "
                        "as it was, or start another run"
                    )


def folder_of(target: Target) -> str:
    """Return the name of the folder of a target, such as madds_8000000."""
    return str(Target(target.quantity, target.value)).replace("=", "_")


def _train_common(
    config: SearchConfig,
    space: Space,
    recipe: Recipe,
    until: int,
    make_log: MakeLog | None,
    announce: Callable[[str], None],
) -> None:
    """Train the part that all targets have in common, in the run directory."""
    compute = select_compute(config)
    check_ranks(config, ALONE, compute.device)
    memory = StepMemory(compute, config.batch_size, 1, can_split=True)
    parts_of = (config, space, recipe, compute, ALONE, memory, make_log)
    with memory.explained(), assembled(*parts_of) as (searcher, log):
        searcher.until = until
        announce(
            f"method {config.method}; space {space.name}: {kind_of(space).describe()}; "
            f"{until} of {config.epochs} epochs for all targets, {config.targets}; run {config.out}"
        )
        if log:
            log.start(searcher.epoch)
        try:
            searcher.run_epochs()
        finally:
            if log:
                log.close()


def _search_part(
    config: SearchConfig,
    part: SearchConfig,
    make_log: MakeLog | None,
    announce: Callable[[str], None],
) -> Chain:
    """Search a target on from the common part, or read its network if that is done."""
    source, folder = Path(str(config.out)), Path(str(part.out))
    if is_file(folder / "network.json"):
        return load_chain(folder)
    if not is_file(folder / "config.yaml"):
        run = RunDirectory.plain(folder)
        newest = list_checkpoints(source / "checkpoints")[0]
        (folder / "checkpoints").mkdir(exist_ok=True)
        for name in (*_COMMON_FILES, f"checkpoints/{newest.name}"):
            if is_file(source / name):
                shutil.copyfile(source / name, folder / name)
        # Last: with its settings the folder is a run, which is resumed.
        run.write_config(run_settings(dataclasses.replace(part, resume=False)))
    found = search(part, make_log=make_log, announce=announce).chain
    assert found is not None
    return found


def _measure(
    config: SearchConfig, space: Space, recipe: Recipe, until: int, found: dict[Target, Chain]
) -> FrontierResult:
    """Measure all networks in the common supernet; write frontier.json."""
    tests = recipe.selection if isinstance(recipe.selection, ChoiceByTest) else RandomChoice()
    # Each network is another path, and compiling would start again for each.
    compute = select_compute(dataclasses.replace(config, compile="off"))
    memory = StepMemory(compute, config.batch_size, 1, can_split=True)
    again = dataclasses.replace(config, resume=True)
    with (
        StopFlag() as flag,
        assembled(again, space, recipe, compute, ALONE, memory) as (searcher, _),
    ):

        def check_stop() -> None:
            if flag.signum:
                message = f"stopped while measuring; continue with `resume` `out` {config.out}"
                raise Stopped(flag.signum, message)

        one_shot = OneShot(searcher, tests.statistics_batches, tests.val_batches, check_stop)
        quantity = next(iter(found)).quantity
        measured = _Measured(searcher, one_shot, quantity)
        networks = tuple(
            measured.point(folder_of(target), chain, target.value)
            for target, chain in found.items()
        )
        published = tuple(measured.point(one.label, one.chain) for one in references())
        supernet = {
            "space": space.name,
            "method": config.method,
            "epochs": until,
            "seed": config.seed,
            "dataset": config.dataset,
            "image_shape": list(searcher.data.image_shape),
            "statistics_batches": tests.statistics_batches,
            "val_batches": tests.val_batches,
        }
        frontier = Frontier(quantity, supernet, networks, published)
        searcher.run.write(FILE_NAME, frontier.to_json())
    return FrontierResult(frontier, tuple(found.values()), Path(str(config.out)))


@dataclass(frozen=True)
class _Measured:
    """Turns networks into points."""

    searcher: Searcher
    one_shot: OneShot
    quantity: str

    def point(self, name: str, chain: Chain, target: float | None = None) -> Point:
        """Return the cost of a network, and its accuracy where the supernet contains it."""
        space, data = self.searcher.space, self.searcher.data
        assert isinstance(space, ChainSpace)
        channels, size, _ = data.image_shape
        madds, parameters = (
            round(count_chain(what, chain.space, size, data.num_classes, channels).of(chain.stages))
            for what in QUANTITIES
        )
        inside = as_point_of(space, chain)
        if inside is None:
            cost = {"madds": madds, "parameters": parameters}.get(self.quantity)
            return Point(name, cost, madds, parameters, None, target)
        table = self.searcher.config.latency_table
        costs = target_costs(self.quantity, space, size, data.num_classes, channels, table)
        like = next(self.searcher.alphas.parameters())
        accuracy = self.one_shot.accuracy(path_of(space, inside.stages, like))
        return Point(name, costs.of(inside.stages), madds, parameters, accuracy, target)
