"""kill -9 at any moment, started again: the end is that of a run that was never killed."""

import pytest
import torch

from nas.cli.augment import main as augment
from nas.cli.search import main as search
from nas.data.shapes.dataset import NUM_IMAGES
from nas.runtime.checkpoint import load_newest
from tests.e2e.kills import run_with_kills
from tests.e2e.runs import flags
from tests.e2e.test_augment import flags as augment_flags

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
OFTEN = {"epochs": 3, "checkpoint_minutes": 1e-9}
RETRAIN = {"ema_decay": 0.9, "val_fraction": 0.2, "batch_size": 8}
PROGRAMS = {
    "first_order": (search, flags(architect="first_order", **OFTEN), ("net", "alphas")),
    "second_order": (search, flags(architect="second_order", **OFTEN), ("net", "alphas")),
    "augment": (augment, augment_flags(**RETRAIN, **OFTEN), ("net", "ema")),
}
RESULTS = ("genotype.json", "evaluation.json")
MANY = [(name, 4, seed) for name in PROGRAMS for seed in (1, 2, 3)]  # 36 kills


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    monkeypatch.setitem(NUM_IMAGES, "test", 100)


@pytest.fixture
def no_pictures(monkeypatch):
    """Searches without what only shows them: shorter, and other metrics."""
    monkeypatch.setattr("nas.search.searcher.epoch_record", lambda **_: {})
    monkeypatch.setattr("nas.search.Searcher.describe", lambda *_: "")
    monkeypatch.setattr("nas.cli.run_search.SearchLog.on_epoch", lambda *_: None)
    monkeypatch.setattr("nas.report.cells.diagram.draw_cells", lambda *_: [])
    monkeypatch.setattr("nas.cli.run_search.write_report", lambda path: path)


@pytest.fixture(scope="module")
def whole_runs(tmp_path_factory):
    """Runs that were never killed, by program; each is made once."""
    made = {}

    def get(program):
        if program not in made:
            main, settings, _ = PROGRAMS[program]
            made[program] = tmp_path_factory.mktemp(program) / "run"
            run_with_kills(main, [*settings, f"--out={made[program]}"], made[program], 0, 0)
        return made[program]

    return get


def check(whole, program, out, num_kills, seed):
    main, settings, parts = PROGRAMS[program]
    assert run_with_kills(main, [*settings, f"--out={out}"], out, num_kills, seed) == num_kills
    results = [name for name in RESULTS if (whole / name).exists()]
    for name in ("metrics.jsonl", *results):
        assert (whole / name).read_bytes() == (out / name).read_bytes()
    assert results
    first, second = (load_newest(path / "checkpoints") for path in (whole, out))
    for part in parts:
        for key, value in first[part].items():
            assert torch.equal(value, second[part][key]), key
    assert not [*out.rglob("*.tmp")]


def test_a_few_kills(tmp_path, no_pictures):
    """Metrics, genotype, weights and alphas to the last bit."""
    main, settings, _ = PROGRAMS["first_order"]
    whole = tmp_path / "whole"
    run_with_kills(main, [*settings, f"--out={whole}"], whole, 0, 0)
    check(whole, "first_order", tmp_path / "run", num_kills=2, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "num_kills", "seed"), MANY)
def test_many_kills(tmp_path, whole_runs, program, num_kills, seed):
    """The same of whole programs, first and second order and a retrain: 36 kills."""
    check(whole_runs(program), program, tmp_path / "run", num_kills, seed)
