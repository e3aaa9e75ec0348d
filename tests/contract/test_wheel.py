"""The wheel works where there is no checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.e2e.runs import flags


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the checkout without the network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("sandglass_nas-*.whl")
    return path


def test_contents(wheel):
    """Code, spaces, the published genotypes and the type marker; no tests, no experiments."""
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("space/files.py", "search_spaces/darts.yaml", "py.typed", "cli/search.py"):
        assert f"nas/{name}" in names
    assert "nas/genotype/published.json" in names
    assert "nas/report/templates/report.html.j2" in names
    assert all(name.startswith(("nas/", "sandglass_nas-")) for name in names)


def run_installed(folder, python, borrowing):
    """Use the installed package from another directory, with nothing of the checkout in reach."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    if borrowing:  # the drawing engine is a program of a dependency
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"

    def run(*command):
        done = subprocess.run(
            command, cwd=elsewhere, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    code = (
        "import nas; from nas.space import load_space as l; print(nas.__file__, l(%r).primitives)"
    )
    said = run(python, "-c", code % "darts+sandglass")
    assert str(folder) in said and "sandglass_3x3" in said
    assert "  evaluate  " in run(str(python.parent / "nas"), "--help")
    script = str(python.parent / "nas-search")
    assert "--space" in run(script, "--help")
    said = run(script, *flags(out="run", epochs=1))
    assert "genotype.json" in said and "cell_normal.png" in said
    assert (elsewhere / "run" / "genotype.json").is_file()


@pytest.mark.slow
def test_installed_elsewhere(wheel, tmp_path):
    """In a new environment that borrows only the dependencies of this one."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    site = next((tmp_path / "env" / "lib").glob("python3*")) / "site-packages"
    # A path file inside a borrowed folder is not read, so an editable install stays out of reach.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
        + ["--no-deps", "--no-index", str(wheel)],
        check=True,
    )
    run_installed(tmp_path, python, borrowing=True)


@pytest.mark.slow
def test_installed_with_its_dependencies(wheel, tmp_path):
    """In an empty environment, with what the package index has today."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    run_installed(tmp_path, python, borrowing=False)
