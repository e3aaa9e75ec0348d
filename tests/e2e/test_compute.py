"""Searches and retrains whose arithmetic is not the default."""

import torch

from nas.cli.augment import main as augment
from nas.search import Searcher
from tests.e2e.runs import flags, search


def test_search_in_bf16_and_micro_batches(tmp_path, capsys):
    """The log says what was taken, and the search ends with a genotype."""
    out = tmp_path / "run"
    assert search(out, precision="bf16", micro_batch=4, epochs=1) == 0
    assert "bf16, channels_last, not compiled, micro-batches of 4" in capsys.readouterr().out
    assert (out / "genotype.json").exists()


def test_out_of_memory(tmp_path, capsys, monkeypatch):
    """One line that names a setting that would fit; exit code 2."""
    monkeypatch.setattr(Searcher, "search", lambda self: torch.empty(10**15))
    assert search(tmp_path / "run") == 2
    stderr = capsys.readouterr().err.strip()
    assert "out of memory" in stderr and "--micro_batch 4" in stderr and "\n" not in stderr


def test_a_search_out_of_memory_goes_on_in_micro_batches(tmp_path, capsys, monkeypatch):
    """What the error advises works: --resume --micro_batch continues from the checkpoint."""
    out = tmp_path / "run"
    with monkeypatch.context() as context:
        context.setattr(Searcher, "_measure", lambda self: torch.empty(10**15))
        assert search(out, checkpoint_minutes=1e-9) == 2
    assert "works with --resume" in capsys.readouterr().err
    assert search(out, resume=True, micro_batch=4) == 0
    assert "resumed with --micro_batch 4" in capsys.readouterr().err
    assert (out / "genotype.json").exists()


def test_out_of_memory_before_the_first_step(tmp_path, capsys, monkeypatch):
    """Building the optimisers is covered too."""
    monkeypatch.setattr(Searcher, "__init__", lambda self, **_: torch.empty(10**15))
    assert search(tmp_path / "run") == 2
    stderr = capsys.readouterr().err.strip()
    assert "out of memory: a step needs" in stderr and "\n" not in stderr


def test_out_of_memory_while_reading_images(tmp_path, capsys, monkeypatch):
    """The images may be what does not fit."""
    monkeypatch.setattr("nas.search.assembly.load_search_data", lambda *_: torch.empty(10**15))
    assert search(tmp_path / "run") == 2
    assert "before the first step" in capsys.readouterr().err


def test_retrain_in_micro_batches(tmp_path):
    """A retrain of one epoch with gradients summed over micro-batches."""
    settings = flags(out=tmp_path / "run", epochs=1, micro_batch=4, precision="bf16")
    settings = [flag for flag in settings if not flag.startswith("--space")]
    assert augment([*settings, "--genotype=DARTS_V2", "--auxiliary_weight=0"]) == 0
    assert (tmp_path / "run" / "evaluation.json").exists()
