"""The source distribution is whole: its tests run from it."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The source distribution, built without the network and unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (archive,) = folder.glob("sandglass_nas-*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def run_tests(folder, *arguments):
    """Run tests of the unpacked archive with its own packages in reach, not the checkout's."""
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.mark.skipif(
    not (ROOT / ".git").exists() or shutil.which("git") is None, reason="needs a git checkout"
)
def test_it_has_every_tracked_file(unpacked):
    """Tests, benchmarks, experiments and documents, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    tracked = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    assert len(tracked) > 300
    assert sorted(name for name in tracked if not (unpacked / name).exists()) == []


@pytest.mark.slow
def test_its_tests_run(unpacked):
    """A few that read files of the project; the rest is in the slow test."""
    said = run_tests(unpacked, "tests/unit/space/test_readme.py", "tests/unit/config")
    assert "passed" in said and "skipped" not in said


@pytest.mark.slow
def test_all_its_tests_run(unpacked):
    run_tests(unpacked, "tests", "--deselect=tests/contract/test_sdist.py")
