"""Run directories to report on, as the tests of the report make them."""

from tests.unit.report.conftest import (
    blank_pictures,
    make_run_dir,
    make_search_dir,
    make_training_dir,
)

__all__ = ["blank_pictures", "make_run_dir", "make_search_dir", "make_training_dir"]
