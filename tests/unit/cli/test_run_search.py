"""The end of a search: the result is on the disk before anything is shown."""

from nas.cli.run_search import _finish
from nas.errors import ReportError
from nas.genotype import load_genotype
from nas.search.run import SearchResult


def test_a_picture_is_not_worth_a_search(monkeypatch, tmp_path, caplog):
    """A report that cannot be written is a warning; the search has not failed."""

    def fail(path):
        raise ReportError(f"{path}: the disk is full")

    monkeypatch.setattr("nas.cli.run_search.write_report", fail)
    _finish(SearchResult(load_genotype("DARTS_V2"), tmp_path, stop=None))
    assert "no picture: " in caplog.text and "the disk is full" in caplog.text
