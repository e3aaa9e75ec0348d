"""Whether the searches of an experiment can start: asked before the first run does."""

from collections.abc import Sequence

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.experiments.plan import Run
from nas.search.assembly import Recipe
from nas.search.kind import kind_of
from nas.space import load_space_at


def check_recipes(runs: Sequence[Run]) -> None:
    """Build the method of each search, and the terms, monitors, stops and selection with it.

    Loads the plug-ins that the settings name.

    Raises:
        NasError: A name or a setting is unknown, or the method cannot do what is asked.
    """
    seen = set()
    for run in runs:
        config = run.settings()
        assert isinstance(config, SearchConfig), "a training has no method"
        what = tuple(flag for flag in run.flags if not flag.startswith("--seed="))
        if what in seen:
            continue
        seen.add(what)
        space = load_space_at(config.space, config.width_mult)
        kind_of(space).prepare(config)
        try:
            Recipe.of(config, space)
        except ConfigError as error:
            raise ConfigError(f"{run.name}: {error}") from error
