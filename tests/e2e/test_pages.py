"""The commands of pages of docs/, run in order at a small size, on the files their reader has."""

import contextlib
import shlex

import pytest
import torch
from PIL import Image

from nas.cli.main import main
from nas.genotype import load_genotype
from nas.models import GenotypeNetwork, mobilenext
from tests.e2e.documents import ROOT, as_nas, commands

DATA = "--dataset=imagefolder --data=data --image_size=16 --batch_size=8"
CELLS = "--init_channels=2 --num_cells=3"
SMALL = {
    "quantize": "--calibration_images=16",
    "benchmark": "--calls=2 --image_size=32 --batch_size=1 --engines=eager",
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A folder with a finished search, a training run and two files of weights."""
    folder = tmp_path_factory.mktemp("reader")
    generator = torch.Generator().manual_seed(0)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (folder / "data" / split / name).mkdir(parents=True)
            for index in range(16):
                pixels = torch.randint(0, 256, (16, 16, 3), generator=generator)
                picture = Image.fromarray(pixels.to(torch.uint8).numpy())
                picture.save(folder / "data" / split / name / f"{index}.png")
    with contextlib.chdir(folder):
        # A large step, so that the cells change from epoch to epoch.
        moving = "--epochs=4 --alpha_learning_rate=10 --space=darts"
        assert main(shlex.split(f"search {DATA} {CELLS} {moving} --out=runs/search")) == 0
        cell = "--genotype=runs/search/genotype.json --auxiliary_weight=0 --epochs=1"
        assert main(shlex.split(f"train {DATA} {CELLS} {cell} --out=runs/augment")) == 0
    torch.save(mobilenext().state_dict(), folder / "model_best.pth.tar")
    torch.save(GenotypeNetwork(load_genotype("DARTS_V2")).state_dict(), folder / "cells.pt")
    (folder / "log.txt").write_text(f"epoch 49 genotype = {load_genotype('DARTS_V2').to_text()}\n")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", ["deploy", "genotypes", "run_directory"])
def test_page(page, reader, monkeypatch, capsys):
    """Every command of the page ends with exit code 0."""
    monkeypatch.chdir(reader)
    names = {"RUN": "runs/search"}
    for command in commands(ROOT / "docs" / f"{page}.md"):
        words = as_nas(command)
        if words is None:
            assert command[0] == "pip"
            continue
        words = [names.get(word, word) for word in words]
        if words.count("runs/search") == 2:  # two runs are compared
            words[words.index("runs/search")] = "runs/augment"
        small = shlex.split(SMALL.get(words[0], ""))
        assert main([*words, *small]) == 0, f"{command}: {capsys.readouterr().err}"
