"""A disk that is full or read-only, data that vanish: one clear line, and the run can go on."""

import os
import resource
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from nas.cli.augment import main as augment
from nas.cli.search import main as search
from nas.data.shapes.dataset import NUM_IMAGES
from nas.runtime.checkpoint import list_checkpoints, load_newest
from nas.runtime.run_directory import RunDirectory
from nas.train import Trainer
from tests.e2e.kills import forked
from tests.e2e.test_augment import flags

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture(autouse=True, scope="module")
def small():
    """100 test images; no pictures at the end, which these tests are not about."""
    with pytest.MonkeyPatch.context() as context:
        context.setitem(NUM_IMAGES, "test", 100)
        context.setattr("nas.report.cells.diagram.draw_cells", lambda *_: [])
        context.setattr("nas.cli.run_augment.write_report", lambda path: path)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory, small):
    """A run of two epochs in which nothing went wrong."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert augment(flags(out=out)) == 0
    return out


def run(main, argv, prepare=lambda: None):
    process = forked(main, argv, prepare)
    process.join(200)
    return process.exitcode


def one_line(capfd, message):
    said = capfd.readouterr().err
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if "error: " in line]
    assert message in line, line


def assert_same(whole, out):
    for name in ("metrics.jsonl", "evaluation.json"):
        assert (whole / name).read_bytes() == (out / name).read_bytes()


def test_files_may_not_grow(whole, tmp_path, capfd):
    """`ulimit -f`: the checkpoint is refused, the one before it stays, and the run goes on."""
    out = tmp_path / "run"
    limit = list_checkpoints(whole / "checkpoints")[0].stat().st_size - 100

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    assert run(augment, flags(out=out, epochs=1)) == 0
    before = list_checkpoints(out / "checkpoints")
    assert run(augment, [f"--out={out}", "--resume", "--epochs=2"], limited) == 2
    one_line(capfd, "cannot be written: File too large")
    assert list_checkpoints(out / "checkpoints") == before and load_newest(out / "checkpoints")
    assert not [*out.rglob("*.tmp")]
    assert run(augment, [f"--out={out}", "--resume"]) == 0
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 2


@pytest.fixture
def disk(tmp_path):
    """A disk of sixteen megabytes, for those who may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", place]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.slow
def test_a_full_and_a_read_only_disk(whole, disk, capfd):
    """No space left, then no right to write: one line each; with space the run ends the same."""
    out, filler = disk / "run", disk / "filler"

    def fill_after_a_checkpoint():
        original = RunDirectory.save_checkpoint

        def save(self, *state):
            original(self, *state)
            free = os.statvfs(disk)
            filler.write_bytes(bytes(free.f_bavail * free.f_frsize - 20_000))

        RunDirectory.save_checkpoint = save

    assert run(augment, flags(out=out, checkpoint_minutes=1e-9), fill_after_a_checkpoint) == 2
    one_line(capfd, "No space left on device")
    assert load_newest(out / "checkpoints")["step_in_epoch"] > 0
    resume = [f"--out={out}", "--resume"]
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert run(augment, resume) == 2
    one_line(capfd, "Read-only file system")
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    filler.unlink()
    assert run(augment, resume) == 0
    assert_same(whole, out)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc")
def test_a_directory_that_cannot_be_written(capfd):
    """Not even by root: one line that names the setting's path."""
    assert search(["--dataset=shapes", "--max_images=48", "--batch_size=8", "--out=/proc/run"]) == 2
    one_line(capfd, "/proc/run: cannot be written")


def test_a_data_file_vanishes(tmp_path, capfd, monkeypatch):
    """In mid-epoch: the file is named, the last checkpoint is whole; put back, the run ends."""
    for split in ("train", "val"):
        for name in ("n01", "n02"):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for index in range(16):
                Image.new("RGB", (70, 70), (15 * index, 0, 0)).save(folder / f"{index}.JPEG")
    out, victims = tmp_path / "run", tmp_path / "images" / "train" / "n02"
    settings = {"dataset": "imagenet", "data": tmp_path / "images", "image_size": 64}
    settings |= {"stem": "imagenet", "auxiliary_weight": 0, "batch_size": 4, "max_images": 32}
    settings |= {"workers": 1}
    original = Trainer.step

    def step(self, batch):
        if victims.exists():  # steps that the loader has read ahead still follow
            victims.rename(tmp_path / "elsewhere")
        original(self, batch)

    with monkeypatch.context() as context:
        context.setattr(Trainer, "step", step)
        assert augment(flags(out=out, checkpoint_minutes=1e-9, epochs=1, **settings)) == 2
    one_line(capfd, "n02")
    assert load_newest(out / "checkpoints")["step_in_epoch"] in range(1, 8)
    (tmp_path / "elsewhere").rename(victims)
    assert augment([f"--out={out}", "--resume"]) == 0
