"""A whole search, from its settings to genotype.json or network.json."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nas.config import SearchConfig, run_settings
from nas.config.choice import read_choice
from nas.data.transforms import FLIP_ADVICE
from nas.distributed.ranks import Ranks
from nas.distributed.session import check_ranks, format_ranks, join_ranks
from nas.errors import ConfigError
from nas.genotype import Chain, Genotype
from nas.runtime.complexity import count_parameters
from nas.runtime.compute import Compute, describe_compute, select_compute
from nas.runtime.environment import current_commit
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.runtime.step_memory import LONG_RUN_STEPS, StepMemory
from nas.search.assembly import MakeLog, Recipe, assembled, open_run
from nas.search.data import SearchData
from nas.search.decision import chance_warning
from nas.search.kind import Found, kind_of
from nas.search.registry import settings_of
from nas.search.stops import Stop
from nas.space import Space, get_family, load_space_at

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchResult:
    """What a search ends with."""

    found: Found
    """The cells or the network of a chain, with the search as its file has it."""
    path: Path
    """The run directory."""
    stop: Stop | None
    """Why the search ended early, if it did."""

    @property
    def genotype(self) -> Genotype | None:
        """The cells; None of a chain."""
        return self.found if isinstance(self.found, Genotype) else None

    @property
    def chain(self) -> Chain | None:
        """The network of a chain; None of cells."""
        return self.found if isinstance(self.found, Chain) else None

    @property
    def file_name(self) -> str:
        """The file in `path` that holds what was found."""
        return get_family(self.found.family).file_name


def search(
    config: SearchConfig,
    *,
    make_log: MakeLog | None = None,
    announce: Callable[[str], None] = _logger.info,
) -> SearchResult:
    """Search, and write the run directory with genotype.json, or network.json of a chain.

    Args:
        config: The settings; `out` must be set.
        make_log: Makes what follows the search; called once, in the first process.
        announce: Receives lines that say what is about to run.

    Raises:
        NasError: Something that the user can fix.
        Stopped: A signal asked for it; a checkpoint was written.
    """
    if config.out is None:
        raise ConfigError("out: expected the path of a run directory, found None")
    if config.targets is not None:
        raise ConfigError(
            "targets: this is a search of one network; give one `target`, or call "
            "nas.api.search_frontier"
        )
    space = load_space_at(config.space, config.width_mult)
    kind_of(space).prepare(config)
    recipe = Recipe.of(config, space)
    compute = select_compute(config)
    with join_ranks(compute.device) as ranks:
        check_ranks(config, ranks, compute.device)
        say = announce if ranks.is_first else _logger.debug
        if ranks.is_first and not config.resume:  # nor again for each of several targets
            recipe.say_unused(config)
        found = recipe.method.without_search(kind_of(space), config)
        if found is not None:
            return _write_found(found, config, space, recipe, compute, ranks, say)
        memory = StepMemory(compute, config.batch_size, ranks.size, can_split=True)
        with memory.explained():
            return _search(config, space, recipe, compute, ranks, memory, make_log, say)


def _write_found(
    found: Found,
    config: SearchConfig,
    space: Space,
    recipe: Recipe,
    compute: Compute,
    ranks: Ranks,
    announce: Callable[[str], None],
) -> SearchResult:
    """Write the run directory of what needs no search."""
    path = Path(str(config.out))
    if not config.resume:
        ranks.on_first(lambda: RunDirectory.check_free(path))
    details = {
        **_origin(config, recipe),
        "epochs": 0,
        "decode_rule": recipe.method.decode_rule(space),
    }
    kind = kind_of(space)
    found = kind.with_details(found, {**found.search, **details}, config.plugins)
    opened = partial(open_run, config, space, compute.device)
    with ranks.on_first(opened) or SilentRunDirectory(path) as run:
        announce(
            f"method {config.method}; space {space.name}: {kind.describe()}; "
            f"{kind.noun}: {_rule(recipe, config, space)}; nothing is trained; run {run.path}"
        )
        run.write_config(run_settings(config))
        run.write(space.kind.file_name, found.to_json())
    return SearchResult(found, path, stop=None)


def _search(
    config: SearchConfig,
    space: Space,
    recipe: Recipe,
    compute: Compute,
    ranks: Ranks,
    memory: StepMemory,
    make_log: MakeLog | None,
    announce: Callable[[str], None],
) -> SearchResult:
    kind = kind_of(space)
    with assembled(config, space, recipe, compute, ranks, memory, make_log) as (searcher, log):
        data, run, alphas = searcher.data, searcher.run, searcher.alphas
        announce(
            f"method {config.method}; space {space.name}: {kind.describe()}; "
            f"{kind.noun}: {_rule(recipe, config, space)}; "
            f"supernet of {count_parameters(searcher.net) / 1e6:.2f} M weights; "
            f"{describe_compute(compute)}{format_ranks(config, ranks)}; "
            f"{data.num_images.weights} images for w, {data.num_images.alphas} for alpha; "
            f"run {run.path}"
        )
        announce(
            f"augmentation: {data.augmentation}{FLIP_ADVICE if config.horizontal_flip else ''}"
        )
        if (config.epochs - searcher.epoch) * len(data.train_loader) >= LONG_RUN_STEPS:
            announce(memory.describe())
        if log:
            log.start(searcher.epoch)
        try:
            cells = searcher.search()
        finally:
            if log:
                log.close()
        if recipe.selection is not None:
            cells = recipe.selection(searcher)
        elif ranks.is_first and (warning := chance_warning(searcher.history.decision(), kind.noun)):
            _logger.warning(warning)
        stop = searcher.history.stop()
        if stop is not None:
            announce(f"stopped early: {stop.reason}; the cells are those of epoch {stop.epoch}")
        final = (alphas.logits(), alphas.extra())
        if stop is not None:
            record = searcher.history.record_of(stop.epoch)
            final = (record["alphas"], record.get("extra_alphas", {}))
        found = _with_details(cells, config, space, recipe, final, stop, data)
        run.write(space.kind.file_name, found.to_json())
    return SearchResult(found, run.path, stop)


def _with_details(
    cells: Found,
    config: SearchConfig,
    space: Space,
    recipe: Recipe,
    final: tuple[dict[str, Any], dict[str, Any]],
    stop: Stop | None,
    data: SearchData,
) -> Found:
    """Add what a training run must not guess, and how the cells were searched."""
    logits, extra = final
    details = {
        **_origin(config, recipe),
        "num_classes": data.num_classes,
        "image_size": data.image_shape[1],
        "epochs": config.epochs,
        "architect": config.order,
        "decode_rule": _rule(recipe, config, space),
        "alphas": logits,
    }
    added = {
        "extra_alphas": extra or None,
        "term": config.term,
        "target": config.target,
        "monitor": config.all_monitors,
        "stop": config.stop,
        "stopped": stop and stop._asdict(),
        "selection": config.selection
        and {
            "name": read_choice(config.selection, "selection").name,
            **settings_of(recipe.selection),
            **cells.search,
        },
    }
    details |= {key: value for key, value in added.items() if value is not None}
    return kind_of(space).with_details(cells, details, config.plugins)


def _origin(config: SearchConfig, recipe: Recipe) -> dict[str, Any]:
    """Return where cells come from; every genotype.json has it."""
    method = read_choice(config.method, "method").name
    return {
        "method": {"name": method, **settings_of(recipe.method)},
        "seed": config.seed,
        "commit": current_commit(),
        "dataset": config.dataset,
    }


def _rule(recipe: Recipe, config: SearchConfig, space: Space) -> str:
    """Return how the cells are chosen, in words."""
    if recipe.selection is not None:
        return f"selection {config.selection}"
    return recipe.method.decode_rule(space)
