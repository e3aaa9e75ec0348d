"""The documentation builds as a site without a warning; CI and pre-commit run what make runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()


def test_the_site_builds(tmp_path):
    """With --strict: a broken link, an unknown name of the API or a bad page is an error."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(tmp_path).parent.as_posix() for path in tmp_path.rglob("index.html")}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"} <= pages
    reference = (tmp_path / "reference" / "index.html").read_text()
    for name in ("space.load_space", "operators.register_operator", "search.Architect.gradient"):
        assert f'id="nas.{name}"' in reference
    assert "](../" not in "".join(page.read_text() for page in tmp_path.rglob("index.html"))


def test_every_page_is_in_the_menu():
    """A page that mkdocs.yml does not list would be found by nobody."""
    listed = re.findall(r"- (\w+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_ci_runs_make():
    """On every Python of pyproject.toml, with the oldest torch that it allows and the newest."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == re.findall(r"Python :: (3\.\d+)", project)
    (oldest,) = matrix["include"]
    for package, version in re.findall(r'"(torch|torchvision)>=([\d.]+)"', project):
        assert f"{package}=={version}.*" in oldest["requirements"]
    commands = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    text = " ".join(commands).replace("${{ matrix.target }}", "test")
    targets = [*re.findall(r"make (\w+)", text), oldest["target"]]
    assert targets == ["test", "docs", "pytest"] and matrix["target"] == ["test"]
    assert all(re.search(rf"^{target}:", MAKEFILE, re.MULTILINE) for target in targets)


def test_pre_commit_runs_make():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    assert hooks == ["make lint", "make test"]
