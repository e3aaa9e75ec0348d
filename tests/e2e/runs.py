"""Searches small enough for a test."""

from pathlib import Path

from nas.cli.search import main

SPACE = Path(__file__).with_name("tiny.yaml").resolve()
TINY = {
    "space": SPACE,
    "dataset": "shapes",
    "max_images": 48,
    "init_channels": 2,
    "num_cells": 3,
    "batch_size": 8,
    "epochs": 2,
}
STEPS = 3  # an epoch of TINY: 24 images for w in batches of 8


def flags(**settings):
    return [f"--{name}={value}" for name, value in {**TINY, **settings}.items()]


def search(out, **settings):
    """Run the program in this process; returns its exit code."""
    return main(flags(out=out, **settings))
