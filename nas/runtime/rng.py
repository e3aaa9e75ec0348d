"""The states of all random generators, in forms that `torch.load(weights_only=True)` reads."""

import random
from typing import Any, cast

import numpy
import torch


def generator_states() -> dict[str, Any]:
    """Return the states of the global generators of torch, of its GPU, of Python and of numpy.

    Loaders have their own generators; those of numpy and Python are saved for plug-ins.
    """
    of_numpy = cast(dict[str, Any], numpy.random.get_state(legacy=False))
    key = torch.from_numpy(of_numpy["state"]["key"].astype(numpy.int64))
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "python": random.getstate(),
        "numpy": of_numpy | {"state": of_numpy["state"] | {"key": key}},
    }


def set_generator_states(states: dict[str, Any]) -> None:
    """Restore the states that `generator_states` returned."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    random.setstate(states["python"])
    of_numpy = states["numpy"]
    if not 0 <= of_numpy["state"]["pos"] <= 624:  # numpy would read outside its memory
        raise ValueError("the state of numpy's generator is damaged")
    key = of_numpy["state"]["key"].numpy().astype(numpy.uint32)
    numpy.random.set_state(of_numpy | {"state": of_numpy["state"] | {"key": key}})
