"""Every command of README and docs works, and the README's are run from top to bottom.

README: each `nas` command is run in this process, in the README's order, with small settings added
at its end; `git`, `pip`, `make` and the like are checked for what they name (a make target, an
extra of pyproject.toml) and not run, and so are commands that need a download, below.

docs: each `nas` command is parsed with `--print_config`, which refuses unknown flags and values.
docs/add_an_operator.md and docs/add_a_method.md are run, by tests of their own.
"""

import re
import shlex

import pytest
import torch
from PIL import Image

from nas.cli.main import main
from tests.e2e.documents import README, ROOT, as_nas, blocks, commands

PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*/*/README.md"))]
SHELL = {"git", "cd", "pip", "make", "mkdir", "ln", "cp", "tar", "python"}
SCRIPTS = {"experiments", "benchmarks"}
SEARCH = "--max_images=24 --init_channels=2 --num_cells=3 --batch_size=8 --epochs=1"
SMALL = {
    "search": SEARCH,
    "train": f"{SEARCH} --auxiliary_weight=0",
    "quantize": "--calibration_images=16 --calibration=minmax",
    "benchmark": "--calls=2 --image_size=32 --batch_size=1 --engines=eager",
}
NOT_RUN = {"sweep": "twelve searches", "experiment": "six runs"}
"""Parsed only, and why."""
DOWNLOADS = ("cifar10", "imagenet")
"""Datasets, in flags or in the names of settings files, that a test does not have."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder as a reader of the README has it: two classes, train and test."""
    folder = tmp_path_factory.mktemp("reader")
    generator = torch.Generator().manual_seed(0)
    for split, count in (("train", 16), ("test", 4)):
        for label, name in enumerate(("cat", "dog")):
            (folder / "photos" / split / name).mkdir(parents=True)
            for index in range(1, count + 1):
                pixels = torch.randint(0, 156, (40, 48, 3), generator=generator) + 100 * label
                path = folder / "photos" / split / name / f"{index}.jpg"
                Image.fromarray(pixels.to(torch.uint8).numpy()).save(path)
    return folder


def test_the_readme_from_top_to_bottom(photos, monkeypatch, capsys):
    """Each command finds what the commands above it have written, and ends with exit code 0."""
    monkeypatch.chdir(photos)
    for name in ("experiments", "search_spaces"):
        (photos / name).symlink_to(ROOT / name)
    done = []
    for command in commands(README):
        words = as_nas(command)
        if words is None:
            check_shell(command)
            continue
        if words[0] in NOT_RUN or _downloads(words):
            parse(words, capsys)
            continue
        small = [] if "--resume" in words else shlex.split(SMALL.get(words[0], ""))
        assert main([*words, *small]) == 0, f"{command}: {capsys.readouterr().err}"
        done.append(words[0])
    assert {"search", "train", "report", "export"} <= set(done)
    names = {}
    for code in blocks("python", README):
        exec(code, names)
    assert "cat" in capsys.readouterr().out or "dog" in str(names)


def parse(words, capsys):
    """Refuses unknown commands, flags and values, without doing anything."""
    try:
        code = main([*words, "--print_config"])
    except SystemExit as end:
        code = end.code
    assert code == 0, f"{words}: {capsys.readouterr().err}"


def _downloads(words):
    """Whether a command reads a dataset that has to be downloaded."""
    text = " ".join(words)
    names = re.findall(r"--(?:dataset|config)[= ](\S+)", text)
    if any(download in name for name in names for download in DOWNLOADS):
        return True
    return words[0] in ("search", "train") and not names and "--resume" not in words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_are_understood(page, monkeypatch, capsys):
    """Flags and values exist; scripts, make targets, extras and settings files too."""
    monkeypatch.chdir(ROOT)
    for command in commands(page):
        words = as_nas(command)
        if words is None:
            check_shell(command)
        else:
            parse([word for word in words if word != "--resume"], capsys)


def check_shell(command):
    """What can be known of a command without running it."""
    program = command[0].split("/")[0]
    assert program in SHELL | SCRIPTS, command
    project = (ROOT / "pyproject.toml").read_text()
    if program == "make":
        assert re.search(rf"^{command[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), command
    if program == "pip":
        for extra in re.findall(r"\[(\w+)\]", command[-1]):
            assert re.search(rf"^{extra} = \[", project, re.MULTILINE), command
    if program == "python":
        script = next(word for word in command[1:] if not word.startswith("-"))
        path = script if "/" in script else script.replace(".", "/") + ".py"
        assert (ROOT / path).is_file(), command
    if program in SCRIPTS:
        assert (ROOT / command[0]).is_file(), command


def test_no_command_is_hidden():
    """A command that is only indented would not be run: pages use fences."""
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        assert re.findall(r"^    (?:nas|python|pip|make|torchrun) .*", text, re.MULTILINE) == []
