"""The bash blocks of the longer pages, run by bash from top to bottom, at a small size.

A reader's folder is made: the project's scripts and settings with small sizes written into the
settings files, and images. Words in capitals and sizes that a test does not have are replaced, as
`SUBSTITUTES` says. Only a sweep on a cluster is left out (`NEEDS_SLURM`).
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from itertools import product
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from nas.space import load_space
from tests.e2e.documents import ROOT, blocks
from tests.unit.detect.voc_folder import small_voc

SMALL_CELLS = {"init_channels": 2, "num_cells": 3}
SMALL = {"max_images": 16, "batch_size": 8, "epochs": 1}
CHEAP = {"eval_interval": 1, "auxiliary_weight": 0, "image_size": 32}
PHOTOS = {"dataset": "imagefolder", "data": "data/cifar10-jpeg", "image_size": 32}
CELL_FLAGS = "--dataset imagefolder --data data/cifar10-jpeg --image_size 16 --max_images 16 " + (
    "--batch_size 8 --epochs 1 --init_channels 2 --num_cells 3"
)
BENCH_FLAGS = CELL_FLAGS.replace("--num_cells 3", "--num_cells 1")
TRAIN_FLAGS = CELL_FLAGS + " --auxiliary_weight 0"
FORMS = "--init_channels 2 --num_cells 3 --batch_size 2 --repeats 1"
MOBILE_FLAGS = "--image_size 32"
MIDDLE = (
    "python -c 'from pathlib import Path; from nas.models.chain_latency import *; "
    'table = read_chain_latency(Path("chain_latency.json")); space = table.space; '
    "print(sum(table.costs(space, space.image_size, table.num_classes).bounds()) / 2)'"
)
"""The middle of what networks take by the table of docs/chain.md."""

SUBSTITUTES = {
    "docs/chain.md": {
        r"(nas search .*)": r"\1 --max_images 32 --batch_size 8 --epochs 2",
        r"(nas train .*)": r"\1 --max_images 32 --batch_size 8 --epochs 1",
        r"(nas latency .*)": r"\1 --engine eager --calls 20 --networks 2",
        r"latency_ms=0\.4": f"latency_ms=$({MIDDLE})",  # what is reachable depends on the machine
        r"(nas benchmark .*)": r"\1 --calls 1 --batch_size 2",
        r"--epochs 30 ": "",
        r"population=20,generations=5": "population=4,generations=2",
    },
    "docs/detection.md": {
        r"pip install -e .*": "true",
        r"--calibration_images 200": "--calibration_images 4",
        r"(nas benchmark .*)": r"\1 --calls 1 --batch_size 2",
        r"--data photos --epochs 60": "--data photos --epochs 1 --image_size 32 --batch_size 8",
        r"--iterations 2000 --eval_interval 500 --batch_size 16": "--iterations 2 "
        "--eval_interval 1 --batch_size 2",
        r"--warmup_iterations 100 --decay_iterations 1600,1900": "--warmup_iterations 1 "
        "--decay_iterations 1",
    },
    "docs/distributed.md": {
        r"--nproc-per-node \d": "--nproc-per-node 2",
        r"--nnodes 2": "--nnodes 1",
        r"node0:29400": "localhost:29417",
        r"DIR\b": "data/imagenet-sample",
        r"(search\.py .*)": rf"\1 {CELL_FLAGS}",
        r"(augment\.py --genotype .*)": rf"\1 {TRAIN_FLAGS}",
        r"(--out runs/mobilenext)": rf"\1 {MOBILE_FLAGS}",
    },
    "docs/scaling.md": {r"--seeds 0,1,2,3 ": "--seeds 0 "},
    "docs/speed.md": {
        r"(bench_(?:search|augment)_(?:step|test).*)": rf"\1 {FORMS}",
        r"(bench_network_.*)": r"\1 --image_size 32 --batch_size 2 --repeats 1",
        r"(bench_operators)": r"\1 --channels 2 --repeats 1",
        r"(bench_loader)": r"\1 || [ $? -eq 1 ]",  # below its speed on a slow machine
        r"(bench_programs)": r"\1 --tiny --repeats 1",
        r"(gpu\.sh)": r"\1 --device cpu --tiny --minutes 2",
    },
    "docs/methods.md": {},
    "docs/nasbench201.md": {
        r"nas search --space nasbench201 .*": " ".join(
            f"nas search --space nasbench201 {BENCH_FLAGS} --seed {seed} --out runs/{out};"
            for seed, out in enumerate(["nasbench201", "seed0", "seed1", "seed2"])
        ),
        r"(python augment.py .*)": r"\1 --init_channels 2 --num_cells 1",
    },
    "docs/targets.md": {
        r"(nas latency .*)": r"\1 --calls 2",
        r"(nas search .*)": r"\1 --max_images 32 --batch_size 16 --epochs 2 --init_channels 2 "
        "--num_cells 3",
    },
    "experiments/README.md": {},
    "experiments/cifar10/README.md": {r"(--max_minutes) 25": r"\1 0.05 || [ $? -eq 3 ]"},
    "experiments/cifar10_mobile/README.md": {r"/path/to/": "$PWD/images/"},
    "experiments/cifar10_small/README.md": {r"/path/to/": "$PWD/images/"},
    "experiments/imagenet/README.md": {
        r"DIR\b": "data/imagenet-sample",
        r"(augment\.py --config .*)": rf"\1 {MOBILE_FLAGS} --epochs 4 --batch_size 250",
        # Away from the runs above, which it refuses: they are measured on 1,000 images.
        r"nas paper": "cd images; nas paper; cd ..",
    },
    "experiments/imagenet_sample/README.md": {},
    "experiments/target_shapes/README.md": {r"(nas search .*)": r"\1 --epochs 2"},
}
WITH_PYTHON = ("docs/chain.md", "docs/detection.md")
"""Pages whose Python is run too, at the end, in one process."""
NEEDS_SLURM = re.compile(r"nas sweep --cluster slurm.*")
"""The executor for it is tested with a stand-in, in tests/e2e/test_sweep.py."""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project as a reader has it, with small settings, images and weights."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("search.py", "augment.py", "search_spaces"):
        (folder / name).symlink_to(ROOT / name)
    scripts = shutil.ignore_patterns("results", "__pycache__")
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=scripts)
    (folder / "benchmarks" / "results").mkdir()
    for path in ROOT.glob("experiments/**/*"):
        of_a_run = path.name in ("config.yaml", "space.yaml")
        if path.suffix in (".yaml", ".py", ".sh") and not of_a_run:
            copy = folder / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
            if path.suffix == ".yaml":
                copy.write_text(yaml.safe_dump(made_small(path)))
    pixels = torch.randint(0, 256, (32, 32, 3), generator=torch.Generator().manual_seed(0))
    picture = folder / "picture.jpg"
    Image.fromarray(pixels.to(torch.uint8).numpy()).save(picture)
    for split in ("train", "test"):
        fill(folder / "images" / "cifar10-jpeg" / split, picture, "cat dog".split(), 16)
    (folder / "photos").symlink_to(folder / "images" / "cifar10-jpeg")
    small_voc(folder / "cells")
    write_table(folder / "table.csv")
    (folder / "new_pictures").mkdir()
    shutil.copy(picture, folder / "new_pictures")
    classes = [f"n{index:08}" for index in range(1000)]
    fill(folder / "images" / "imagenet", picture, classes, 1, suffix=".JPEG")
    with tarfile.open(folder / "imagenet-sample.tar", "w") as archive:
        archive.add(folder / "images" / "imagenet", "images")
    from nas.models import mobilenext

    torch.save(mobilenext().state_dict(), folder / "model_best.pth.tar")
    return folder


def made_small(path):
    """The settings of a file of experiments/, with few small images and small networks."""
    settings = yaml.safe_load(path.read_text())
    if path.name == "experiment.yaml":
        seeds = {key: settings[key][:1] for key in settings if key.endswith("_seeds")}
        return settings | seeds
    settings = {key: value for key, value in settings.items() if "warmup" not in key}
    small = {key: value for key, value in (CHEAP | SMALL_CELLS).items() if key in settings}
    if "imagenet" in path.as_posix():  # which needs an image of each class
        return settings | small | {"batch_size": 100, "epochs": 1}
    return settings | SMALL | small | PHOTOS


def write_table(path):
    """All cells of NAS-Bench-201, with accuracies that say nothing."""
    operators = [f"{name}~" for name in load_space("nasbench201").primitives]
    lines = ["arch,cifar10,cifar100"]
    for number, (a, b, c, d, e, f) in enumerate(product(operators, repeat=6)):
        accuracy = f"{10 + number % 800 / 10},{1 + number % 700 / 10}"
        lines.append(f"|{a}0|+|{b}0|{c}1|+|{d}0|{e}1|{f}2|,{accuracy}")
    path.write_text("\n".join(lines).replace("plain_", "") + "\n")


def fill(folder, picture, classes, count, suffix=".jpg"):
    """Make a folder of images, all of them the same file."""
    for name in classes:
        (folder / name).mkdir(parents=True)
        for index in range(count):
            os.link(picture, folder / name / f"{index}{suffix}")


@pytest.fixture
def data(project):
    """data/ with both sets of images, where a page does not make it itself."""
    shutil.rmtree(project / "data", ignore_errors=True)
    (project / "data" / "imagenet-sample").mkdir(parents=True)
    (project / "data" / "cifar10-jpeg").symlink_to(project / "images" / "cifar10-jpeg")
    for split in ("train", "val"):
        link = project / "data" / "imagenet-sample" / split
        link.symlink_to(project / "images" / "imagenet")
    return project / "data"


@pytest.mark.slow
@pytest.mark.parametrize("page", SUBSTITUTES)
def test_blocks_run(page, project, data):
    """Bash reaches the end of all blocks, stopping at the first command that fails."""
    script = "\n".join(blocks("bash", ROOT / page))
    if page in WITH_PYTHON:
        parts = "\n".join(blocks("python", ROOT / page))
        script += f"\npython - <<'PYTHON'\n{parts}\nPYTHON\n"
    if "mkdir -p data" in script:
        shutil.rmtree(data)
    script = re.sub(r"[ ]*\\\n\s*", " ", script)
    for pattern, words in SUBSTITUTES[page].items():
        changed = re.sub(pattern, words, script)
        assert changed != script, f"{page}: nothing to replace: {pattern}"
        script = changed
    script = NEEDS_SLURM.sub("", script)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(project), str(ROOT)]),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=project,
        env=environment,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
