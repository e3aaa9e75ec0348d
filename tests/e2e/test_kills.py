"""kill -9 at any moment, started again: the end is that of a run that was never killed."""

import pytest
import torch

from nas.cli.augment import main as augment
from nas.cli.search import main as search
from nas.data.shapes import NUM_IMAGES
from nas.runtime.checkpoint import load_newest
from tests.e2e.kills import run_with_kills
from tests.e2e.runs import flags
from tests.e2e.test_augment import flags as augment_flags

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
RETRAIN = {"epochs": 3, "ema_decay": 0.9, "val_fraction": 0.2, "batch_size": 8}
PROGRAMS = {
    "first_order": (search, flags(architect="first_order", epochs=3), ("net", "alphas")),
    "second_order": (search, flags(architect="second_order", epochs=3), ("net", "alphas")),
    "augment": (
        augment,
        augment_flags(ema_decay=0.9, val_fraction=0.2, batch_size=8),
        ("net", "ema"),
    ),
}
FEW = [("first_order", 3, 0), ("augment", 2, 0)]
MANY = [(name, 5, seed) for name in PROGRAMS for seed in (1, 2, 3)]


@pytest.mark.parametrize(
    ("program", "num_kills", "seed"),
    [*FEW, *(pytest.param(*case, marks=pytest.mark.slow) for case in MANY)],
)
def test_killed_equals_never_killed(tmp_path, monkeypatch, program, num_kills, seed):
    """Metrics, results, weights and alphas to the last bit."""
    monkeypatch.setitem(NUM_IMAGES, "test", 100)
    main, settings, parts = PROGRAMS[program]
    out = {}
    for name in ("whole", "killed"):
        out[name] = tmp_path / name
        argv = [*settings, f"--out={out[name]}", "--checkpoint_steps=1", "--keep_checkpoints=2"]
        kills = run_with_kills(main, argv, out[name], num_kills if name == "killed" else 0, seed)
    assert kills == num_kills
    result = "evaluation.json" if program == "augment" else "genotype.json"
    for name in ("metrics.jsonl", result):
        assert (out["whole"] / name).read_bytes() == (out["killed"] / name).read_bytes()
    whole, killed = (load_newest(path / "checkpoints") for path in out.values())
    for part in parts:
        for key, value in whole[part].items():
            assert torch.equal(value, killed[part][key]), key
    assert not [*out["killed"].rglob("*.tmp")]
