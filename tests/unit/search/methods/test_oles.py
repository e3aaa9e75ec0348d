"""OLES: what is recorded of frozen operators."""

import pytest

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.operators import resolve
from nas.runtime.run_directory import RunDirectory
from nas.search.methods.oles import Oles
from nas.search.monitors import measure_all
from nas.space import load_space
from tests.contract.test_methods import searcher_of


def test_a_space_without_weights_is_refused():
    """There would be nothing to watch."""
    space = load_space("skip_connect+max_pool_3x3+noise")
    resolve(space)
    with pytest.raises(ConfigError, match=r"space: no operator of .* has weights"):
        Oles().check(SearchConfig(method="oles"), space)


def test_frozen_operators_are_counted(tmp_path):
    """After a checkpoint too; each operator of each cell counts once."""
    space = load_space("mixed_edges")
    resolve(space)
    run = RunDirectory.create(tmp_path / "run", {})
    searcher = searcher_of("oles", space, run)
    assert measure_all(searcher) == {"frozen_operators": 0}
    state = searcher.method_state
    first, second, *_ = state.tensors
    for name in (first, second, first):
        state.freeze(name)
    assert measure_all(searcher) == {"frozen_operators": 2}
    resumed = searcher_of("oles", space, run)
    resumed.load_state_dict(searcher.state_dict())
    assert measure_all(resumed) == {"frozen_operators": 2}
