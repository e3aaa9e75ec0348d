"""Run directories to report on, as the tests of the report make them."""

from tests.unit.report.conftest import (
    blank_pictures,
    make_retrain_dir,
    make_run_dir,
    make_search_dir,
)

__all__ = ["blank_pictures", "make_retrain_dir", "make_run_dir", "make_search_dir"]
