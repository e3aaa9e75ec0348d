"""Counts, checkpoints, run directories, meters and signals."""

import os
import pickle
import random
import signal
import zipfile

import numpy
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nas.errors import CheckpointError, ConfigError, RunDirectoryError
from nas.runtime.checkpoint import (
    list_checkpoints,
    load_checkpoint,
    load_newest,
    parse_checkpoint,
    save_checkpoint,
    write_checkpoint,
)
from nas.runtime.complexity import count_madds, count_parameters
from nas.runtime.device import select_device
from nas.runtime.environment import describe_environment
from nas.runtime.meter import Meter
from nas.runtime.rng import generator_states, set_generator_states
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.signals import HANDLED, StopFlag


class TestComplexity:
    @pytest.mark.parametrize("groups", [1, 2, 4])
    @pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
    def test_closed_form(self, groups, stride, dilation):
        """K * k * C_in / groups * C_out * H * W for a convolution, in * out for a linear layer."""
        model = nn.Sequential(
            nn.Conv2d(4, 8, 3, stride, dilation, dilation, groups),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 5),
        )
        side = 10 // stride
        assert count_madds(model, (4, 10, 10)) == 9 * 4 // groups * 8 * side * side + 8 * 5
        assert count_parameters(model) == 9 * 4 // groups * 8 + 8 + 16 + 8 * 5 + 5

    def test_the_model_is_not_touched(self):
        """Neither its mode nor its statistics nor its device change."""
        model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
        before = {key: value.clone() for key, value in model.state_dict().items()}
        count_madds(model, (3, 4, 4))
        assert model.training and all(p.device.type == "cpu" for p in model.parameters())
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


class TestCheckpoint:
    def test_newest_of_the_last_two(self, tmp_path):
        """Only the last two are kept, and the newest is read back."""
        for step in (5, 10, 200):
            save_checkpoint(tmp_path, step, {"step": step, "w": torch.full((2,), float(step))})
        assert [path.name for path in list_checkpoints(tmp_path)] == [
            "step_000000200.pt",
            "step_000000010.pt",
        ]
        assert load_newest(tmp_path)["w"].tolist() == [200.0, 200.0]
        assert len(list(tmp_path.iterdir())) == 2

    def test_a_torn_file_is_passed_over_and_said(self, tmp_path, caplog):
        """Half a file is named on stderr, and the one before it is used."""
        save_checkpoint(tmp_path, 1, {"step": 1})
        newest = save_checkpoint(tmp_path, 2, {"step": 2})
        newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
        assert load_newest(tmp_path) == {"step": 1}
        assert "step_000000002.pt" in caplog.text

    def test_one_flipped_bit_is_noticed(self, tmp_path, capsys):
        """Any one changed bit of a file, in tensors or in the checksum itself, is damage."""
        path = save_checkpoint(tmp_path, 1, {"w": torch.arange(4.0)})
        whole = path.read_bytes()
        for place in range(0, len(whole), 13):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            path.write_bytes(damaged)
            with pytest.raises(CheckpointError, match="not a checkpoint that can be read"):
                load_checkpoint(path)
        path.write_bytes(whole)
        assert load_checkpoint(path)["w"].tolist() == [0, 1, 2, 3]
        assert torch.load(path, weights_only=True)["w"].tolist() == [0, 1, 2, 3]

    def test_packed_archives_are_refused(self, tmp_path):
        """A file that unpacks to more than its size is not read, whatever its checksum says."""
        path = tmp_path / "bomb.pt"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", bytes(1 << 24))
        payload = path.read_bytes()
        with pytest.raises(CheckpointError, match="compressed"):
            parse_checkpoint(payload, "bomb.pt")

    @pytest.mark.parametrize("num_kept", [1, 3])
    def test_the_last_few_are_kept(self, tmp_path, num_kept):
        for step in range(5):
            save_checkpoint(tmp_path, step, {}, num_kept)
        kept = [path.name for path in list_checkpoints(tmp_path)]
        assert kept == [f"step_{4 - back:09d}.pt" for back in range(num_kept)]

    def test_random_generators_survive(self, tmp_path):
        """Torch, Python and numpy draw on as if the process had not ended."""
        random.random(), numpy.random.standard_normal(), torch.rand(3)
        write_checkpoint(tmp_path / "a.pt", generator_states())
        drawn = [(random.random(), numpy.random.standard_normal(), torch.rand(3).tolist())]
        set_generator_states(load_checkpoint(tmp_path / "a.pt"))
        drawn += [(random.random(), numpy.random.standard_normal(), torch.rand(3).tolist())]
        assert drawn[0] == drawn[1]

    def test_only_damaged_ones(self, tmp_path):
        (tmp_path / "step_000000001.pt").write_bytes(b"")
        with pytest.raises(CheckpointError, match="only damaged ones"):
            load_newest(tmp_path)

    def test_code_in_a_checkpoint_is_not_run(self, tmp_path):
        """A pickle that would run a command is refused like a damaged file."""

        class Harmful:
            def __reduce__(self):
                return (os.mkdir, (str(tmp_path / "harm"),))

        (tmp_path / "step_000000001.pt").write_bytes(pickle.dumps(Harmful()))
        with pytest.raises(CheckpointError):
            load_newest(tmp_path)
        assert not (tmp_path / "harm").exists()

    def test_what_cannot_be_written(self, tmp_path):
        """The error names the file, and no part of it stays behind."""
        with pytest.raises(CheckpointError, match="cannot be written"):
            save_checkpoint(tmp_path / "absent", 1, {})


class TestRunDirectory:
    def test_create_write_append_cut(self, tmp_path):
        """Whole files, whole lines, and back to the lines of a checkpoint."""
        run = RunDirectory.create(tmp_path / "a" / "run", {"seed": 1})
        assert (run.path / "config.yaml").read_text() == "seed: 1\n"
        for epoch in range(3):
            run.append("metrics.jsonl", {"epoch": epoch})
        run.keep_lines("metrics.jsonl", 2)
        assert (run.path / "metrics.jsonl").read_text() == '{"epoch": 0}\n{"epoch": 1}\n'
        with pytest.raises(ValueError, match="JSON"):
            run.append("metrics.jsonl", {"loss": float("nan")})

    def test_lines_that_are_missing(self, tmp_path):
        """Half a line is no line: a file with fewer than the checkpoint counted is an error."""
        run = RunDirectory.create(tmp_path / "run", {})
        run.append("metrics.jsonl", {"epoch": 0})
        with (run.path / "metrics.jsonl").open("a") as stream:
            stream.write('{"epoch":')
        with pytest.raises(RunDirectoryError, match="has 1 whole lines"):
            run.keep_lines("metrics.jsonl", 2)
        run.keep_lines("metrics.jsonl", 1)
        assert (run.path / "metrics.jsonl").read_text() == '{"epoch": 0}\n'
        with pytest.raises(RunDirectoryError, match="has 0 whole lines"):
            run.keep_lines("timing.jsonl", 1)

    def test_what_a_killed_program_left_is_swept_up(self, tmp_path):
        RunDirectory.create(tmp_path, {}).__exit__()
        for place in (tmp_path / ".genotype.json.7.tmp", tmp_path / "checkpoints" / ".a.pt.7.tmp"):
            place.touch()
        with RunDirectory.open(tmp_path):
            assert not [*tmp_path.rglob("*.tmp")]

    def test_the_other_processes_write_nothing(self, tmp_path):
        """Every method that writes does nothing in a silent run directory."""
        run = SilentRunDirectory(tmp_path)
        writing = {name for name in vars(SilentRunDirectory) if not name.startswith("_")}
        public = {name for name in vars(RunDirectory) if not name.startswith("_")}
        assert public - writing == {"check_free", "create", "plain", "open", "write_config"}
        run.write_config({"seed": 1})
        run.write_missing("a", str)
        run.append("a", {})
        run.remove("a")
        run.keep_lines("a", 3)
        run.save_checkpoint(1, {})
        run.write_checkpoint("best.pt", {})
        assert not [*tmp_path.iterdir()]

    @pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl", "genotype.json"])
    def test_a_directory_with_a_run_is_refused(self, tmp_path, name):
        (tmp_path / name).touch()
        with pytest.raises(RunDirectoryError, match=r"already holds a run.*`resume`"):
            RunDirectory.create(tmp_path, {})

    def test_other_files_do_not_matter(self, tmp_path):
        (tmp_path / "notes.txt").touch()
        RunDirectory.create(tmp_path, {})

    def test_a_failed_write_leaves_the_old_file(self, tmp_path, monkeypatch):
        """When the disk is full in the middle, the old content is still there, alone."""
        run = RunDirectory.create(tmp_path / "run", {})
        run.write("space.yaml", "old")

        def full(_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        before = sorted(run.path.iterdir())
        with pytest.raises(RunDirectoryError, match="No space left on device"):
            run.write("space.yaml", "new")
        assert (run.path / "space.yaml").read_text() == "old"
        assert sorted(run.path.iterdir()) == before

    def test_places_that_cannot_be_run_directories(self, tmp_path):
        """A file, a place below a file, a name that is too long, and nothing to resume."""
        (tmp_path / "file").touch()
        for path in (tmp_path / "file", tmp_path / "file" / "run", tmp_path / ("x" * 300)):
            with pytest.raises(RunDirectoryError):
                RunDirectory.create(path, {})
        with pytest.raises(RunDirectoryError, match="holds no run"):
            RunDirectory.open(tmp_path)


def test_meter_counts_every_sample_once():
    """Means over samples, not over batches of different sizes."""
    torch.manual_seed(0)
    logits, targets = torch.randn(10, 4), torch.randint(4, (10,))
    meter = Meter()
    for part in (slice(0, 7), slice(7, 10)):
        meter.update(cross_entropy(logits[part], targets[part]), logits[part], targets[part])
    assert meter.loss == pytest.approx(cross_entropy(logits, targets).item(), rel=1e-6)
    assert meter.accuracy == 10 * (logits.argmax(1) == targets).sum().item()
    other = Meter()
    other.load_state_dict(meter.state_dict())
    assert (other.loss, other.accuracy) == (meter.loss, meter.accuracy)


def test_signals_set_a_flag_and_the_second_interrupt_leaves():
    """The first Ctrl-C is noted, the second raises, and the old handlers come back."""
    before = [signal.getsignal(signum) for signum in HANDLED]
    for first in HANDLED:
        with StopFlag() as stop:
            assert stop.signum is None
            signal.raise_signal(first)
            assert stop.signum == first
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(signum) for signum in HANDLED] == before


def test_device(monkeypatch):
    """The setting auto falls back to the CPU, cuda does not."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert select_device("auto").type == select_device("cpu").type == "cpu"
    with pytest.raises(ConfigError, match="device: found cuda"):
        select_device("cuda")


def test_environment_states_versions_and_threads():
    """What bit-identical results depend on is there, and no path of the machine."""
    environment = describe_environment(torch.device("cpu"))
    assert environment["torch"] == torch.__version__
    assert environment["num_threads"] == torch.get_num_threads()
    assert not any(str(part).startswith("/") for part in environment["command"][:1])
