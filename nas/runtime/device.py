"""Where to compute."""

import torch

from nas.errors import ConfigError


def select_device(name: str) -> torch.device:
    """Return the device: "cpu", "cuda", or "auto", which is a GPU when there is one.

    Raises:
        ConfigError: "cuda" where torch finds none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("--device cuda: torch finds no GPU here; use --device cpu or auto")
    return torch.device("cuda" if name != "cpu" and available else "cpu")
