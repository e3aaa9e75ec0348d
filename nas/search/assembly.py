"""The parts of a search, put together from its settings: recipe, data, networks, run directory."""

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.nn.functional import cross_entropy

from nas.config import SearchConfig, run_settings
from nas.config.choice import read_choice, read_choices
from nas.config.target import read_frontier, read_targets
from nas.data.fingerprint import FILE_NAME
from nas.distributed.launch import Share
from nas.distributed.ranks import Ranks
from nas.distributed.session import prepare_network
from nas.errors import RunDirectoryError
from nas.runtime.compute import Compute
from nas.runtime.environment import describe_environment
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.runtime.step_memory import StepMemory
from nas.search import evolution, methods  # noqa: F401  (importing them registers them)
from nas.search.data import load_search_data
from nas.search.kind import kind_of
from nas.search.memory import estimate_stages
from nas.search.method import Method
from nas.search.monitors import Monitor
from nas.search.network import build_network
from nas.search.registry import METHODS, MONITORS, SELECTIONS, STOPS, TERMS, build
from nas.search.searcher import Searcher
from nas.search.selections import Selection, check_not_begun
from nas.search.stops import StoppingRule
from nas.search.terms import Term
from nas.space import Space, load_space
from nas.strict_yaml import is_file
from nas.supernet import Alphas

_logger = logging.getLogger(__name__)


class EpochLog(Protocol):
    """What follows a search epoch by epoch, such as a TensorBoard writer; see `make_log`."""

    def start(self, epoch: int) -> None:
        """Begin at an epoch."""
        ...

    def on_epoch(self, record: dict[str, Any]) -> None:
        """Receive the record of an epoch."""
        ...

    def close(self) -> None:
        """End."""
        ...


@dataclass(frozen=True)
class Recipe:
    """The method of a search and what is added to it."""

    method: Method
    terms: tuple[Term, ...] = ()
    monitors: tuple[Monitor, ...] = ()
    stops: tuple[StoppingRule, ...] = ()
    selection: Selection | None = None

    @classmethod
    def of(cls, config: SearchConfig, space: Space) -> "Recipe":
        """Build what the settings name; the plug-ins of the space must have been loaded.

        Raises:
            ConfigError: A name or a setting is unknown, or the method cannot do what is asked.
        """
        method = build(METHODS, read_choice(config.method, "method"), "method")
        method.check(config, space)
        terms, monitors, stops = (
            tuple(build(registry, choice, key) for choice in read_choices(text or "", key))
            for registry, text, key in (
                (TERMS, config.term, "term"),
                (MONITORS, config.all_monitors, "monitor"),
                (STOPS, config.stop, "stop"),
            )
        )
        selection = None
        if config.selection is not None:
            choice = read_choice(config.selection, "selection")
            selection = build(SELECTIONS, choice, "selection")
        for part in (*terms, *monitors, *stops, selection):
            if hasattr(part, "check"):
                part.check(config, space)
        return cls(method, terms, monitors, stops, selection)

    def say_unused(self, config: SearchConfig) -> None:
        """Name the settings that were given and that the method has no use for."""
        if unused := self.method.unused(config):
            names = ", ".join(f"`{name}`" for name in unused)
            _logger.info("no effect with method %s: %s", config.method, names)


MakeLog = Callable[[RunDirectory, Space], EpochLog]


def each_target(config: SearchConfig) -> list[SearchConfig]:
    """Return the settings of the search of each of the `targets`, or those of the one search."""
    if config.targets is None:
        return [config]
    return [
        dataclasses.replace(config, targets=None, target=str(target))
        for target in read_frontier(config.targets)
    ]


@contextmanager
def assembled(
    config: SearchConfig,
    space: Space,
    recipe: Recipe,
    compute: Compute,
    ranks: Ranks,
    memory: StepMemory,
    make_log: MakeLog | None = None,
) -> Iterator[tuple[Searcher, EpochLog | None]]:
    """Yield the searcher in its run directory, where it was if the run is resumed, and its log.

    Args:
        config: The settings; `out` must be set.
        space: The search space.
        recipe: What the settings name.
        compute: The arithmetic.
        ranks: The processes that search together.
        memory: Explains a lack of memory; gets the estimate.
        make_log: Makes what follows the search; called once, in the first process.

    Raises:
        NasError: Something that the user can fix.
    """
    path, method, kind = Path(str(config.out)), recipe.method, kind_of(space)
    if not config.resume:
        ranks.on_first(lambda: RunDirectory.check_free(path))
    share = Share(ranks.rank, ranks.size)
    data = ranks.first_then_others(
        lambda: load_search_data(config, compute, share, method.one_level)
    )
    kind.check_data(config, data, method)
    terms = [
        tuple(kind.target(target, one, data, method) for target in read_targets(one.target or ""))
        for one in each_target(config)
    ]
    for one in each_target(config):
        if check_data := getattr(recipe.selection, "check_data", None):
            check_data(one, space, data)
    acting = terms[0] if method.moves_alphas and config.targets is None else ()
    torch.manual_seed(config.seed)
    net = build_network(config, space, data, method)
    alphas = Alphas(
        space, config.alpha_init_std, extra=method.extra_alphas(space, config.alpha_init_std)
    )
    memory.estimate = partial(estimate_stages, config, space, net, alphas, method, data, compute)
    alphas = alphas.to(compute.device)
    net = compute.place(prepare_network(net, config, ranks))
    opened = partial(open_run, config, space, compute.device)
    with ranks.on_first(opened) or SilentRunDirectory(path) as run:
        if data.fingerprint is not None:
            run.write_missing(FILE_NAME, data.fingerprint.to_json)
        log = ranks.on_first(lambda: make_log(run, space) if make_log else None)
        searcher = Searcher(
            config=config,
            space=space,
            net=net,
            alphas=alphas,
            loss=cross_entropy,
            data=data,
            run=run,
            method=method,
            terms=(*recipe.terms, *acting),
            monitors=(*recipe.monitors, *(target.measure for target in acting)),
            stops=recipe.stops,
            callbacks=[log.on_epoch] if log else [],
            compute=compute,
            ranks=ranks,
        )
        if config.resume:
            searcher.resume()
            if not searcher.is_finished():
                ranks.on_first(lambda: check_not_begun(path))
                run.remove(space.kind.file_name)
            elif recipe.selection is not None:
                ranks.on_first(lambda: _set_aside(run, space.kind.file_name))
            run.write_config(run_settings(config))
        yield searcher, log


def open_run(config: SearchConfig, space: Space, device: torch.device) -> RunDirectory:
    """Open the run; the settings of one that is resumed are written once they are accepted."""
    path = Path(str(config.out))
    if config.resume:
        if is_file(path / "space.yaml") and load_space(path / "space.yaml") != space:
            raise RunDirectoryError(
                f"resume: the space {config.space!r} is no longer the one of this run "
                f"({path / 'space.yaml'}); restore its file or start another run"
            )
        run = RunDirectory.open(path)
    else:
        run = RunDirectory.create(path, run_settings(config))
    run.write_missing("space.yaml", space.to_yaml)
    run.write_missing("env.json", lambda: json.dumps(describe_environment(device), indent=1) + "\n")
    return run


def _set_aside(run: RunDirectory, name: str) -> None:
    """Give another name to what the alphas of a finished search say, before a selection begins.

    So a selection that is stopped leaves no result that looks like its own.
    """
    path = run.path / name
    if not is_file(path):
        return
    text = path.read_text()
    try:
        has_selection = "selection" in json.loads(text)["search"]
    except (ValueError, TypeError, KeyError):  # damaged: it will be written again
        has_selection = False
    if not has_selection:
        run.write(f"{path.stem}_of_alphas{path.suffix}", text)
        run.remove(name)
