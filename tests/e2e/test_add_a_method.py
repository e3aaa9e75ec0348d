"""The walk of docs/add_a_method.md, as a reader would do it."""

import json
import re
import shlex
from pathlib import Path

import pytest

from nas.cli.main import main

PAGE = Path(__file__).parents[2] / "docs" / "add_a_method.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.slow
def test_the_files_and_commands_of_the_page(tmp_path, monkeypatch, capsys):
    """A method in one file is searched with and compared to DARTS by one experiment file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "annealed.py").write_text(blocks("python")[0])
    (tmp_path / "compare").mkdir()
    names = ("experiment.yaml", "search.yaml", "augment.yaml")
    for name, text in zip(names, blocks("yaml"), strict=True):
        (tmp_path / "compare" / name).write_text(text)
    for command in blocks("bash"):
        program, *words = shlex.split(command)
        assert program == "nas"
        assert main(words) == 0, capsys.readouterr().err

    lines = (tmp_path / "runs/annealed/metrics.jsonl").read_text().splitlines()
    temperatures = [json.loads(line)["measures"]["temperature"] for line in lines]
    assert temperatures == [1.3, 1.3 * (0.2 / 1.3)]
    document = json.loads((tmp_path / "runs/annealed/genotype.json").read_text())
    assert document["search"]["method"] == {"name": "annealed", "first": 1.3, "last": 0.2}
    table = (tmp_path / "compare/results.md").read_text()
    assert "annealed" in table and "darts" in table
