"""The run directory: one program at a time, whole files."""

import os

import pytest

from nas.errors import RunDirectoryError
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory


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
        assert public - writing == {
            *("check_free", "create", "open", "plain", "read_bytes", "write_config")
        }
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
        with pytest.raises(RunDirectoryError) as error:
            RunDirectory.check_free(tmp_path, can_resume=False)
        assert "resume" not in str(error.value)

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
