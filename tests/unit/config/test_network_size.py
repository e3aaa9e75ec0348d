"""The sizes of networks of cells."""

import pytest

from nas.config.network_size import check_num_cells
from nas.errors import ConfigError


def test_two_of_the_cells_of_darts_reduce():
    """So there are three at least; a stage of NAS-Bench-201 may have one."""
    check_num_cells(3, "cell")
    check_num_cells(1, "nasbench201")
    with pytest.raises(ConfigError, match="at least 3 in a space of the family cell, found 2"):
        check_num_cells(2, "cell")
