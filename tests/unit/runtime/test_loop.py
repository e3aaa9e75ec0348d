"""What ends a loop early."""

import multiprocessing
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import cross_entropy

from nas.config import AugmentConfig, resolved
from nas.data import DatasetInfo, FileLoader, ImageFiles
from nas.data.imagenet import eval_transform
from nas.errors import DataError
from nas.runtime.run_directory import RunDirectory
from nas.train import TrainData, Trainer

INFO = DatasetInfo("noise", ("a", "b"), 8, (0.5,) * 3, (0.25,) * 3)


@pytest.fixture
def loader(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(64)]
    for path in paths:
        Image.new("RGB", (8, 8), "red").save(path)
    files = ImageFiles(INFO, paths, torch.arange(64) % 2)
    return FileLoader(files, 2, transform=eval_transform(INFO), shuffle=True, seed=0, num_workers=1)


class KillsTheWorker(nn.Sequential):
    """A classifier; in its third step the process that decodes the images dies."""

    num_calls = 0

    def forward(self, x):
        self.num_calls += 1
        if self.num_calls == 3:
            for worker in multiprocessing.active_children():
                worker.kill()
                worker.join()
        return super().forward(x)


def test_a_killed_worker_is_one_clear_error(loader, tmp_path):
    """The error names the setting; the last checkpoint is there to resume from."""
    net = KillsTheWorker(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
    net.drop_path_prob = 0.0
    run = RunDirectory.create(tmp_path / "run", {})
    trainer = Trainer(
        net,
        config=resolved(AugmentConfig(epochs=1, batch_size=2, checkpoint_minutes=1e-9)),
        loss=cross_entropy,
        data=TrainData(loader, [], None, (3, 8, 8), 2, 64, 0),
        run=run,
        description={},
    )
    with pytest.raises(DataError, match=r"workers: a process .* was killed.*with `resume`"):
        trainer.train()
    kept = [path.name for path in Path(run.checkpoints).iterdir()]
    assert "step_000000002.pt" in kept
