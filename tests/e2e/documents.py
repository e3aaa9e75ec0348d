"""Commands and code of the documents: what a reader would type, block by block."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def blocks(language, page):
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def commands(page):
    """The words of each command in the bash blocks of a page, in order, without comments."""
    lines = []
    for block in blocks("bash", page):
        lines += re.sub(r"\\\n\s*", " ", block).splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [command for command in words if command]


def as_nas(command):
    """The arguments of the `nas` command that does what this command does; None if there is none.

    `python search.py` is `nas search`, and `torchrun ... search.py` the same in several processes.
    """
    if command[0] == "nas":
        return command[1:]
    if command[0] in ("python", "torchrun"):
        for script, name in (("search.py", "search"), ("augment.py", "train")):
            if script in command:
                return [name, *command[command.index(script) + 1 :]]
    return None
