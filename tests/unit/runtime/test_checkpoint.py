"""Checkpoints: whole or refused, and nothing in them is executed."""

import os
import pickle
import random
import zipfile

import numpy
import pytest
import torch

from nas.errors import CheckpointError
from nas.runtime.checkpoint import (
    list_checkpoints,
    load_checkpoint,
    load_newest,
    parse_checkpoint,
    save_checkpoint,
    write_checkpoint,
)
from nas.runtime.rng import generator_states, set_generator_states


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

    def test_the_generator_of_a_gpu_survives(self, tmp_path, monkeypatch):
        """A generator stands for that of a GPU; without a GPU its state is left alone."""
        of_gpu = torch.Generator().manual_seed(5)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_rng_state", of_gpu.get_state)
        monkeypatch.setattr(torch.cuda, "set_rng_state", of_gpu.set_state)
        write_checkpoint(tmp_path / "a.pt", generator_states())
        drawn = torch.rand(3, generator=of_gpu)
        set_generator_states(load_checkpoint(tmp_path / "a.pt"))
        assert torch.equal(torch.rand(3, generator=of_gpu), drawn)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        state = of_gpu.get_state()
        set_generator_states(load_checkpoint(tmp_path / "a.pt"))
        assert torch.equal(of_gpu.get_state(), state)

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
