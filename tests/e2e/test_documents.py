"""What the documents tell a reader to do works when done."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from nas.cli.search import main
from nas.genotype import load_genotype
from tests.e2e.runs import TINY

PAGE = Path("docs/add_an_operator.md").resolve()
SMALL = [f"--{key}={value}" for key, value in TINY.items() if key != "space"] + ["--epochs=1"]


def blocks(language, page=PAGE):
    """The fenced blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.slow
def test_add_an_operator(tmp_path, monkeypatch):
    """The page's files and commands, at a small size; nothing on it is left out."""
    monkeypatch.chdir(tmp_path)
    operator, short_test = blocks("python")
    (space,) = blocks("yaml")
    commands = blocks("sh")
    Path("ghost_conv.py").write_text(operator)
    Path("my_space.yaml").write_text(space)
    names = {}
    exec("import torch\n" + short_test, names)
    for command in commands:
        python, script, *arguments = shlex.split(command)
        assert (python, script) == ("python", "search.py")
        assert main([*SMALL, *arguments]) == 0
    genotype = load_genotype("runs/ghost")
    assert "ghost_3x3" in genotype.space["primitives"]
    assert len(genotype.space["plugins"]) == 1


def test_the_slurm_script_is_one_for_bash():
    """What can be checked of it without Slurm: bash reads it to its end."""
    (script,) = blocks("sh", PAGE.with_name("distributed.md"))
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


def test_links_of_the_documents_lead_somewhere():
    """Every relative link in README and docs names a file of the project."""
    root = PAGE.parent.parent
    for document in [*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("*/README.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_paths_in_the_documents_exist():
    """Every file and folder that a page names in backquotes is there; `*` matches something."""
    root = PAGE.parent.parent
    pattern = re.compile(r"`((?:nas|tests|docs|benchmarks|experiments|search_spaces)/[^`: ]*)`?")
    pages = [root / "README.md", root / "CONTRIBUTING.md", *root.glob("docs/*.md")]
    named = {(page, path) for page in pages for path in pattern.findall(page.read_text())}
    assert len(named) > 30
    assert [(page.name, path) for page, path in named if not list(root.glob(path))] == []
